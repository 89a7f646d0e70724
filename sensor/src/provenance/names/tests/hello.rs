//! ClientHellos, over TCP and in QUIC.

use super::super::hello::{Assembly, Found, HELLO_MAX, Pieces, client_hello, tls};
use super::super::samples::{self, QUIC_2, crypto, initial, records};
use super::{RESOLVER, Scene, by_dns, ends, unnamed};
use crate::event::{FlowReason, NamedBy, Server, Transport};

const NAME: &str = "models.example.org";
/// The connection id of the examples in RFC 9001 and RFC 9369.
const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn found() -> Found {
    Found::Name(NAME.into())
}

/// RFC 9001, appendix A.2, and RFC 9369, appendix A.2: the frame, and the beginning and the end of the packets that are made of
/// it. GCM makes the end depend on everything before.
const FRAME: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c
    00000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007
    000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43
    e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c0002400100390032040
    8ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff";

#[test]
fn the_examples_of_the_standards_are_read() {
    for (version, start, end) in [
        (1, "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11", "e221af44860018ab0856972e194cd934"),
        (
            QUIC_2,
            "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
            "a18b2faa745b6fe189cf772a9f84cbfc",
        ),
    ] {
        let packet = initial(version, &ID, &ID, 2, &bytes(FRAME)).unwrap();
        assert_eq!(packet.len(), 1200);
        assert!(packet.starts_with(&bytes(start)) && packet.ends_with(&bytes(end)), "not the standard's packet");
        assert_eq!(Assembly::new(true).add(0, &packet), Found::Name("example.com".into()));
        let mut broken = packet.clone();
        broken[600] ^= 1;
        assert_eq!(Assembly::new(true).add(0, &broken), Found::More, "what does not open is not believed");
    }
}

#[test]
fn a_hello_may_be_cut_anywhere() {
    let hello = samples::client_hello(NAME, 1500);
    assert!(hello.len() > 1550);
    assert_eq!(client_hello(&hello), found());
    for size in [2, 7, 100, 512, 16_384] {
        let stream = records(&hello, size);
        assert_eq!(tls(&stream), found(), "in records of {size} bytes");
        for at in [5, 6, 9, 60, stream.len() - 1] {
            let mut assembly = Assembly::new(false);
            assert_eq!(assembly.add(0, &stream[..at]), Found::More, "{at} bytes");
            assert_eq!(assembly.add(at as u32, &stream[at..]), found(), "{at} bytes and the rest");
        }
    }
    let stream = records(&hello, 16_384);
    let mut assembly = Assembly::new(false);
    assembly.add(0, &stream[..50]);
    assert_eq!(assembly.add(51, &stream[51..]), Found::Nothing, "one byte was lost");
}

#[test]
fn what_is_no_hello_and_what_names_nobody_is_nothing() {
    for stream in [
        b"GET / HTTP/1.1\r\n".to_vec(),
        // A ServerHello.
        records(&[2, 0, 0, 1, 0], 100),
        // A handshake message of 16 MB.
        records(&[1, 0xff, 0xff, 0xff, 3, 3], 100),
        records(&samples::client_hello("", 0), 1000),
        records(&samples::client_hello("192.0.2.1", 0), 1000),
        records(&samples::client_hello(&"a".repeat(256), 0), 1000),
    ] {
        assert_eq!(tls(&stream), Found::Nothing);
    }
    assert_eq!(tls(&records(&samples::client_hello("EXAMPLE.Org.", 0), 1000)), Found::Name("example.org".into()));
}

#[test]
fn a_quic_hello_may_come_in_any_order_and_twice() {
    let hello = samples::client_hello(NAME, 1500);
    let pieces: Vec<_> = hello.chunks(300).enumerate().map(|(i, part)| crypto(300 * i as u16, part)).collect();
    let ping = [1, 0, 0];
    let ack = [3, 0x40, 0x64, 5, 1, 0, 2, 3, 1, 2, 3];
    let first = [&pieces[4][..], &ping, &pieces[0], &pieces[0], &ack, &pieces[2]].concat();
    let second = [&pieces[5][..], &pieces[1], &pieces[3]].concat();
    let mut assembly = Assembly::new(true);
    assert_eq!(assembly.add(0, &initial(1, &ID, &ID, 0, &first).unwrap()), Found::More);
    // What the server calls itself later does not change the keys.
    assert_eq!(assembly.add(1, &initial(1, &[9; 20], &ID, 1, &second).unwrap()), found());

    // Two packets in one datagram; then a retry, after which the keys are those of the new id.
    let both = [
        initial(1, &ID, &ID, 0, &pieces[..3].concat()).unwrap(),
        initial(1, &ID, &ID, 1, &pieces[3..].concat()).unwrap(),
    ];
    assert_eq!(Assembly::new(true).add(0, &both.concat()), found());
    let mut assembly = Assembly::new(true);
    assembly.add(0, &initial(1, &ID, &ID, 0, &pieces[..3].concat()).unwrap());
    assert_eq!(assembly.add(1, &initial(1, &[7; 8], &[7; 8], 1, &pieces[3..].concat()).unwrap()), found());
}

#[test]
fn pieces_that_overlap_are_put_together_and_bounded() {
    let stream: Vec<u8> = (0..1000u32).map(|at| (at * 7 % 251) as u8).collect();
    let mut pieces = Pieces::default();
    for (from, to) in [(400, 700), (900, 1000), (350, 450), (650, 950), (100, 100), (420, 430)] {
        pieces.add(from as u64, &stream[from..to]);
        assert_eq!(pieces.beginning(), b"", "the first byte is not there");
    }
    pieces.add(0, &stream[..351]);
    assert!(pieces.beginning() == stream);
    // Of what is said twice, the first.
    pieces.add(0, &[0xff; 2000]);
    assert!(pieces.beginning()[..1000] == stream && pieces.beginning().len() == 2000);
    pieces.add(HELLO_MAX as u64 - 1, &[0; 2]);
    pieces.add(u64::MAX, &[0; 2]);
    assert_eq!(pieces.beginning().len(), 2000);
    let mut scattered = Pieces::default();
    (1..=100).for_each(|number| scattered.add(number * 10, &[1]));
    scattered.add(0, &[1; 1001]);
    assert_eq!(scattered.beginning(), b"", "no room for so many");
}

#[test]
fn a_hello_names_the_flow_where_dns_does_not_and_both_are_kept() {
    let mut scene = Scene::new();
    let tcp = ends("192.0.2.7", 443, Transport::Tcp);
    let stream = records(&samples::client_hello(NAME, 1500), 16_384);
    assert_eq!(scene.connect(1, "192.0.2.7"), unnamed());
    assert_eq!(scene.hello(1, tcp, 0, &stream[..1000]), None);
    assert_eq!(scene.flow(1, tcp, FlowReason::First, true), unnamed(), "not yet");
    assert_eq!(scene.hello(1, tcp, 1000, &stream[1000..]).as_deref(), Some(NAME));
    let by_tls = Server { name: Some(NAME.into()), by: NamedBy::Tls, tls: Some(NAME.into()), disagrees: false };
    assert_eq!(scene.flow(1, tcp, FlowReason::Grown, true), by_tls);

    let quic = ends("192.0.2.7", 443, Transport::Udp);
    let packet = initial(1, &ID, &ID, 0, &crypto(0, &samples::client_hello(NAME, 0))).unwrap();
    assert_eq!(scene.hello(2, quic, 0, &packet).as_deref(), Some(NAME));
    let next = initial(1, &[9; 8], &ID, 1, &[1]).unwrap();
    assert_eq!(scene.hello(2, quic, 1, &next), None);
    assert_eq!(scene.names.hellos.len(), 0, "nothing is waited for any more");
    let by_quic = Server { by: NamedBy::Quic, ..by_tls.clone() };
    assert_eq!(scene.flow(2, quic, FlowReason::First, true), by_quic);

    // The answer judges; the hello may lie.
    scene.resolve(RESOLVER, "evil.example.", "192.0.2.66");
    scene.connect(3, "192.0.2.66");
    let other = ends("192.0.2.66", 443, Transport::Tcp);
    scene.hello(3, other, 0, &stream);
    let lied = Server { tls: Some(NAME.into()), disagrees: true, ..by_dns("evil.example") };
    assert_eq!(scene.flow(3, other, FlowReason::First, true), lied);
}

#[test]
fn of_several_names_of_an_address_the_one_that_is_asked_for_is_taken() {
    let mut scene = Scene::new();
    for name in ["evil.example.", "cdn.example.org.", "hub.example.net."] {
        scene.resolve(RESOLVER, name, "192.0.2.7");
    }
    let tcp = ends("192.0.2.7", 443, Transport::Tcp);
    for (cookie, said, expected) in [
        (1, "evil.example", by_dns("evil.example")),
        // The same registered domain.
        (2, NAME, by_dns("cdn.example.org")),
        (3, "stranger.example", Server { disagrees: true, ..by_dns("hub.example.net") }),
    ] {
        assert_eq!(
            scene.connect(cookie, "192.0.2.7"),
            by_dns("hub.example.net"),
            "the last, as long as nothing is said"
        );
        scene.hello(cookie, tcp, 0, &records(&samples::client_hello(said, 0), 1000));
        let expected = Server { tls: Some(said.into()), ..expected };
        assert_eq!(scene.flow(cookie, tcp, FlowReason::First, true), expected);
    }
}
