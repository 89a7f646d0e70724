//! Hand-made files, the smallest that are told for what they are: for tests, benches and fuzzing.

use super::dataset::masked_crc32c;
use super::{Confidence, Format};

/// A file of each format (of some several), and how surely it is told.
pub fn all() -> Vec<(Format, Confidence, Vec<u8>)> {
    use Confidence::{Certain, Likely};
    let mut files = weights();
    files.extend(datasets());
    files.extend(secrets());
    let containers = [
        (Format::Zlib, Likely, b"\x78\x9c\x4b\x4c\x4a\x4e".to_vec()),
        (Format::Gzip, Certain, b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec()),
        (Format::Zstd, Certain, b"\x28\xb5\x2f\xfd\x04\0".to_vec()),
        (Format::Xz, Certain, b"\xfd7zXZ\0\0\x04".to_vec()),
        (Format::Bzip2, Certain, b"BZh91AY&SY".to_vec()),
        (Format::Lz4, Certain, b"\x04\x22\x4d\x18\x64\x40".to_vec()),
        (Format::SevenZip, Certain, b"7z\xbc\xaf\x27\x1c\0\x04".to_vec()),
        (Format::Zip, Certain, zip(&[("mimetype", b"", b"application/epub+zip")])),
        (Format::Zip, Certain, zip(&[("model.safetensors", b"", b"\x10")])),
        (Format::Tar, Certain, tar(&[("readme", b"hello")])),
    ];
    files.extend(containers);
    files
}

fn weights() -> Vec<(Format, Confidence, Vec<u8>)> {
    use Confidence::{Certain, Likely};
    let tensors = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let pages = format!("{{\"__metadata__\":{{\"ss_tag\":\"{}\"}},\"w\":{{}}}}", "x".repeat(5000));
    let flatbuffer = |name: &[u8; 4], more: &[u8]| [&[16, 0, 0, 0], &name[..], more, &[0; 16]].concat();
    let hdf5 = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0";
    let sized = |magic: &[u8], more: &[u8]| {
        let length = magic.len() + 8 + more.len();
        [magic, &(length as u64).to_le_bytes(), more].concat()
    };
    let index = b"\0\0\x06\x08\x01\x1a\x02\x08\x01\0\0\0\0\x01\0\0\0\0\x57\xfb\x80\x8b\x24\x75\x47\xdb";
    let npy = b"\x93NUMPY\x01\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
    let node = proto(1, &proto(1, b"x"));
    let graph = proto(7, &node);
    let opset = proto(8, b"\x10\x11");
    let saved = [&b"\x08\x01"[..], &proto(2, &[proto(1, &proto(4, b"serve")), proto(2, b"graph")].concat())].concat();
    vec![
        (Format::Safetensors, Certain, [&(tensors.len() as u64).to_le_bytes()[..], tensors, &[0; 4]].concat()),
        (Format::Safetensors, Certain, [&(pages.len() as u64).to_le_bytes()[..], pages.as_bytes()].concat()),
        (Format::Safetensors, Likely, [&1_000_000u64.to_le_bytes()[..], &tensors[..20]].concat()),
        (Format::Gguf, Certain, b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0".to_vec()),
        (Format::Gguf, Certain, b"GGUF\0\0\0\x03\0\0\0\0\0\0\0\x01".to_vec()),
        (Format::Gguf, Likely, b"GGUF\x63\0\0\0".to_vec()),
        (Format::Ggml, Certain, b"tjgg\x01\0\0\0".to_vec()),
        (Format::Ggml, Certain, b"lmgg\x00\x7d\0\0".to_vec()),
        (Format::PytorchZip, Certain, zip(&[("archive/data.pkl", b"FB\x03\0ZZZ", b"\x80\x02}q\0.")])),
        (Format::PytorchZip, Certain, zip(&[("m/.format_version", b"FB\0\0", b"1"), ("m/data/0", b"", b"1234")])),
        (Format::Torchscript, Certain, zip(&[("m/data.pkl", b"", b"\x80\x02."), ("m/code/__torch__.py", b"", b"x")])),
        (
            Format::PytorchLegacy,
            Certain,
            b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M".to_vec(),
        ),
        (Format::PytorchLegacy, Certain, tar(&[("sys_info", b"1"), ("pickle", b"2")])),
        (Format::Pickle, Likely, b"\x80\x04\x95\x05\0\0\0\0\0\0\0]\x94K\x01a.".to_vec()),
        (Format::Pickle, Likely, b"\x80\x02}q\0.".to_vec()),
        (Format::Pickle, Likely, b"\x80\x05B\x04\0\0\0abcd\x94.".to_vec()),
        (Format::Joblib, Likely, b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\nq\0)\x81.".to_vec()),
        (Format::Sklearn, Certain, b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x18sklearn.ensemble._forest\x94.".to_vec()),
        (Format::Onnx, Certain, [&b"\x08\x08"[..], &proto(2, b"pytorch"), &proto(3, b"2.4"), &graph, &opset].concat()),
        (Format::Onnx, Certain, [&b"\x08\x0a"[..], &proto(2, b"x"), &opset, &graph].concat()),
        (Format::Onnx, Likely, [&b"\x08\x07"[..], &graph].concat()),
        (Format::TfSavedModel, Certain, saved.clone()),
        (Format::TfSavedModel, Likely, [saved, proto(2, b"another")].concat()),
        (Format::TfCheckpoint, Certain, index.to_vec()),
        (Format::Hdf5, Likely, hdf5.to_vec()),
        (Format::Hdf5, Likely, [&[0u8; 512], &hdf5[..]].concat()),
        (Format::Hdf5, Certain, [&hdf5[..], b"\0\0layer_names\0"].concat()),
        (Format::Keras, Certain, zip(&[("metadata.json", b"", b"{\"keras_version\": \"3.3\"}")])),
        (Format::Keras, Certain, zip(&[("config.json", b"", b"{}"), ("model.weights.h5", b"", hdf5)])),
        (Format::Tflite, Certain, flatbuffer(b"TFL3", b"")),
        (Format::Executorch, Certain, flatbuffer(b"ET12", b"eh00")),
        (Format::Executorch, Likely, flatbuffer(b"ET12", b"")),
        (Format::Tensorrt, Likely, [&b"ftrt"[..], &[0; 20], &[10, 3, 0, 0], &[0; 8]].concat()),
        (Format::Ocdbt, Certain, sized(b"\x0c\xdb\x3a\x2a", b"\0\0xxxx")),
        (Format::Ocdbt, Likely, [sized(b"\x0c\xdb\x20\xde", b"\0\x01xxxx"), vec![7; 30]].concat()),
        (Format::Xgboost, Certain, b"{L\0\0\0\0\0\0\0\x07learner{L\0\0\0\0\0\0\0\x0aattributes{}}}".to_vec()),
        (Format::Xgboost, Certain, br#"{"learner":{"attributes":{},"feature_names":[]},"version":[2,0,3]}"#.to_vec()),
        (Format::Xgboost, Likely, b"binf\0\0\0\x3f\x01\0\0\0".to_vec()),
        (Format::Lightgbm, Certain, b"tree\nversion=v4\nnum_class=1\n".to_vec()),
        (Format::Catboost, Certain, [&b"CBM1\x20\0\0\0\x0c\0\0\0"[..], &[0; 32]].concat()),
        (Format::Npy, Likely, npy.to_vec()),
        (Format::Npz, Likely, zip(&[("arr_0.npy", b"\x01\0\x10\0", npy)])),
        (Format::Tensorizer, Certain, b"|TZR|\x01\0\0\0\0\0\0\0".to_vec()),
        (Format::Nemo, Certain, tar(&[("./", b""), ("./model_config.yaml", b"a: 1"), ("./model_weights.ckpt", b"PK")])),
        (Format::Mar, Certain, zip(&[("model.pt", b"", b"PK"), ("MAR-INF/MANIFEST.json", b"", b"{}")])),
        (Format::Rknn, Certain, b"RKNN\0\0\0\0\x06\0\0\0\0\0\0\0".to_vec()),
    ]
}

fn datasets() -> Vec<(Format, Confidence, Vec<u8>)> {
    use Confidence::{Certain, Likely};
    // A message of 48 bytes: the root at 16, its vtable at 4 with version, type, header and body's length.
    let mut stream = [&[0xff; 4][..], &[48, 0, 0, 0, 16, 0, 0, 0], &[12, 0, 24, 0, 6, 0, 5, 0, 8, 0, 16, 0]].concat();
    stream.extend([12, 0, 0, 0, 0, 1, 4, 0]);
    stream.resize(64, 0);
    let length = 3u64.to_le_bytes();
    let record = [&length[..], &masked_crc32c(&length).to_le_bytes(), b"abc", &[0; 4]].concat();
    let lance = |major: u8, minor: u8| [&[7; 24][..], &[8, 0, 0, 0, 0, 0, 0, 0, major, 0, minor, 0], b"LANC"].concat();
    vec![
        (Format::Parquet, Certain, b"PAR1\x15\x04\x02\0\0\0PAR1".to_vec()),
        (Format::Parquet, Likely, b"PAR1\x15\x04\x15".to_vec()),
        (Format::Arrow, Certain, b"ARROW1\0\0\xff\xff\xff\xffARROW1".to_vec()),
        (Format::Arrow, Certain, stream),
        (Format::Feather, Certain, b"FEA1\0\0\0\0FEA1".to_vec()),
        (Format::Tfrecord, Certain, record),
        (Format::Orc, Certain, b"ORC\x08\x03\x10\0\x82\xf4\x03\x03ORC\x0b".to_vec()),
        (Format::Avro, Certain, b"Obj\x01\x04\x16avro.schema\x02{}".to_vec()),
        (Format::Avro, Likely, b"Obj\x01\x04\x14avro.codec".to_vec()),
        (Format::Lance, Certain, lance(0, 2)),
        (Format::Lance, Certain, lance(2, 1)),
    ]
}

fn secrets() -> Vec<(Format, Confidence, Vec<u8>)> {
    let pem = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    let key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
    let certificate = pem("CERTIFICATE", key);
    let token =
        ["eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ", "eyJhdWQiOlsiaHR0cHM6Ly9rIl19", "c2lnbmF0dXJlLW9mLXRva2Vu"].join(".");
    let account = "{\n  \"type\": \"service_account\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIE\"\n}";
    let kubeconfig = "apiVersion: v1\nclusters:\n- cluster: {}\ncontexts: []\nkind: Config\nusers: []\n";
    let files = [
        (Format::PemPrivateKey, pem("PRIVATE KEY", key)),
        (Format::PemPrivateKey, pem("EC PRIVATE KEY", key)),
        (Format::PemPrivateKey, pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA")),
        (Format::PemPrivateKey, format!("{certificate}{}", pem("PRIVATE KEY", key))),
        (Format::PemPrivateKey, format!("Bag Attributes\n    x: y\n{}", pem("PRIVATE KEY", key))),
        (Format::OpensshPrivateKey, pem("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU")),
        (Format::PuttyPrivateKey, "PuTTY-User-Key-File-3: ssh-ed25519\n".to_owned()),
        (
            Format::AgeKey,
            "# created: 2026-01-01\n# public key: age1x\nAGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQ\n".to_owned(),
        ),
        (Format::ServiceAccountKey, account.to_owned()),
        (Format::Kubeconfig, kubeconfig.to_owned()),
        (Format::Jwt, format!("{token}\n")),
    ];
    files.into_iter().map(|(format, text)| (format, Confidence::Certain, text.into_bytes())).collect()
}

/// A field of a protobuf that has a length.
fn proto(number: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    assert!(length < 128, "a length of one byte");
    [&[number << 3 | 2, length as u8], content].concat()
}

/// A zip: entries by name, extra field and content, a directory of names, an end.
fn zip(entries: &[(&str, &[u8], &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, extra, content) in entries {
        let lengths = [(name.len() as u16).to_le_bytes(), (extra.len() as u16).to_le_bytes()].concat();
        let size = (content.len() as u32).to_le_bytes();
        file.extend([b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0", &size[..], &size, &lengths].concat());
        file.extend([name.as_bytes(), extra, content].concat());
        directory.extend([&b"PK\x01\x02"[..], &[0; 24], &(name.len() as u16).to_le_bytes(), &[0; 16]].concat());
        directory.extend(name.as_bytes());
    }
    [file, directory, b"PK\x05\x06".to_vec(), vec![0; 18]].concat()
}

/// A tar of regular files.
fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    for (name, content) in entries {
        let mut header = vec![0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name.as_bytes());
        put(124, format!("{:011o}\0", content.len()).as_bytes());
        put(148, b"        ");
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        file.extend(header);
        file.extend(*content);
        file.resize(file.len().next_multiple_of(512), 0);
    }
    file.resize(file.len() + 1024, 0);
    file
}
