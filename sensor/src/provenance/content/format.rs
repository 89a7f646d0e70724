//! The formats that can be told by content, by the names that `classes.yml` and output use.

use crate::event::Class;

/// What a row below says is said once: the variant, its name, the class that such files are of by nature, what it is.
macro_rules! formats {
    ($($format:ident $name:literal $class:expr, $what:literal;)*) => {
        /// A format of files. `rules/classes.yml` says which class each is in; [`Format::class`] is what the format is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Format {
            $(#[doc = $what] $format,)*
        }

        impl Format {
            /// Every format.
            pub const ALL: &[Format] = &[$(Format::$format),*];

            /// The name in `classes.yml` and output.
            pub const fn name(self) -> &'static str {
                match self { $(Format::$format => $name,)* }
            }

            /// The class that such files are of by nature; `None`: a container, of which its content would tell more.
            pub const fn class(self) -> Option<Class> {
                match self { $(Format::$format => $class,)* }
            }
        }
    };
}

const WEIGHTS: Option<Class> = Some(Class::Weights);
const DATASET: Option<Class> = Some(Class::Dataset);
const SECRET: Option<Class> = Some(Class::Secret);

formats! {
    Safetensors "safetensors" WEIGHTS, "Hugging Face's tensors: a JSON header behind its length.";
    Gguf "gguf" WEIGHTS, "llama.cpp's models, versions 1 to 3, of either byte order.";
    Ggml "ggml" WEIGHTS, "What llama.cpp used before GGUF: ggml, ggmf, ggjt, ggla.";
    PytorchZip "pytorch_zip" WEIGHTS, "`torch.save` since 1.6: a zip with a pickle in it; torch.distributed.checkpoint's parts too.";
    Torchscript "torchscript" WEIGHTS, "`torch.jit.save`: the same with code in it.";
    PytorchLegacy "pytorch_legacy" WEIGHTS, "`torch.save` before 1.6: pickles one after another, or a tar.";
    Pickle "pickle" WEIGHTS, "A Python pickle, protocol 2 to 5: only large ones are believed to be models.";
    Joblib "joblib" WEIGHTS, "A pickle with arrays in joblib's form.";
    Sklearn "sklearn" WEIGHTS, "A pickle that begins with an estimator of scikit-learn, XGBoost, LightGBM or CatBoost.";
    Onnx "onnx" WEIGHTS, "A protobuf `ModelProto`; tensors in files beside it have no header.";
    TfSavedModel "tf_saved_model" WEIGHTS, "TensorFlow's protobuf `SavedModel`.";
    TfCheckpoint "tf_checkpoint" WEIGHTS, "The index of a TensorFlow checkpoint; the data beside it has no header.";
    Hdf5 "hdf5" WEIGHTS, "HDF5: arrays of any kind, certain only where Keras's attributes show.";
    Keras "keras" WEIGHTS, "Keras 3: a zip with `model.weights.h5` in it.";
    Tflite "tflite" WEIGHTS, "LiteRT, a FlatBuffer.";
    Executorch "executorch" WEIGHTS, "ExecuTorch's program, a FlatBuffer.";
    Tensorrt "tensorrt" WEIGHTS, "A TensorRT engine, by magics that are seen but not documented.";
    Ocdbt "ocdbt" WEIGHTS, "TensorStore's key-value store (Orbax): a manifest or a node.";
    Xgboost "xgboost" WEIGHTS, "XGBoost's model as UBJSON, JSON or in its old binary form.";
    Lightgbm "lightgbm" WEIGHTS, "LightGBM's model, a text.";
    Catboost "catboost" WEIGHTS, "CatBoost's model.";
    Npy "npy" WEIGHTS, "One array of NumPy.";
    Npz "npz" WEIGHTS, "A zip of NumPy's arrays.";
    Tensorizer "tensorizer" WEIGHTS, "CoreWeave's tensors.";
    Nemo "nemo" WEIGHTS, "NVIDIA NeMo's model, a tar.";
    Mar "mar" WEIGHTS, "TorchServe's model archive, a zip.";
    Rknn "rknn" WEIGHTS, "Rockchip's compiled models.";
    Parquet "parquet" DATASET, "Apache Parquet.";
    Arrow "arrow" DATASET, "Arrow IPC: a file (Feather 2), or a stream as Hugging Face's datasets cache it.";
    Feather "feather" DATASET, "Feather, version 1.";
    Tfrecord "tfrecord" DATASET, "TensorFlow's records, each behind its length and a checksum of it.";
    Orc "orc" DATASET, "Apache ORC.";
    Avro "avro" DATASET, "An Avro object container.";
    Lance "lance" DATASET, "LanceDB's data files and manifests.";
    PemPrivateKey "pem_private_key" SECRET, "A private key in PEM, alone or with certificates.";
    OpensshPrivateKey "openssh_private_key" SECRET, "A private key as ssh-keygen writes it.";
    PuttyPrivateKey "putty_private_key" SECRET, "A private key as PuTTYgen writes it.";
    AgeKey "age_key" SECRET, "An identity of age.";
    ServiceAccountKey "service_account_key" SECRET, "A key of a Google Cloud service account, JSON.";
    Kubeconfig "kubeconfig" SECRET, "Access to Kubernetes clusters, YAML.";
    Jwt "jwt" SECRET, "A signed token, as Kubernetes mounts them: nothing else is in the file.";
    Zlib "zlib" None, "A bare zlib stream: two weak bytes. joblib's compressed dumps are, git's objects as well.";
    Gzip "gzip" None, "gzip.";
    Zstd "zstd" None, "Zstandard.";
    Xz "xz" None, "xz.";
    Bzip2 "bzip2" None, "bzip2.";
    Lz4 "lz4" None, "An LZ4 frame.";
    SevenZip "7z" None, "7-Zip.";
    Zip "zip" None, "A zip of something else.";
    Tar "tar" None, "A tar of something else.";
}

impl Format {
    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// Its bit in a [`FormatSet`].
    const fn bit(self) -> u64 {
        1 << self as u8
    }
}

// A set has a bit for each.
const _: () = assert!(Format::ALL.len() <= 64);

/// A set of formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormatSet(u64);

impl FormatSet {
    /// Whether `format` is in it.
    pub const fn contains(self, format: Format) -> bool {
        self.0 & format.bit() != 0
    }
}

impl FromIterator<Format> for FormatSet {
    fn from_iter<I: IntoIterator<Item = Format>>(formats: I) -> FormatSet {
        FormatSet(formats.into_iter().fold(0, |bits, format| bits | format.bit()))
    }
}
