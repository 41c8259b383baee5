//! HPACK against the examples of RFC 7541, appendix C.

use dubbo_proxy_filter::hpack::{DecodeError, Decoder, Encoder, HeaderList, ListLimits};

const LIMITS: ListLimits = ListLimits {
    fields: 100,
    size: 16 * 1024,
    string: 16 * 1024,
};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn text(list: &HeaderList) -> String {
    let field = |(name, value): (&[u8], &[u8])| {
        format!(
            "{}: {}\n",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value)
        )
    };
    list.iter().map(field).collect()
}

/// Decodes the blocks of one connection, each with what it holds; a table size may come first.
fn check(size_update: &str, blocks: &[(&str, &str)]) {
    let mut decoder = Decoder::new();
    for (at, (block, expected)) in blocks.iter().enumerate() {
        let update = if at == 0 { size_update } else { "" };
        let block = [unhex(update), unhex(block)].concat();
        let mut list = HeaderList::new();
        assert_eq!(decoder.decode(&block, &LIMITS, &mut list), Ok(true));
        assert_eq!(text(&list), *expected, "block {at}");
    }
}

#[test]
fn c2_forms_of_fields() {
    let literal = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
    check(
        "",
        &[
            (literal, "custom-key: custom-header\n"),
            ("be", "custom-key: custom-header\n"),
        ],
    );
    let path = (
        "040c 2f73 616d 706c 652f 7061 7468",
        ":path: /sample/path\n",
    );
    let never = (
        "1008 7061 7373 776f 7264 0673 6563 7265 74",
        "password: secret\n",
    );
    check("", &[path, never, ("82", ":method: GET\n")]);
    let mut decoder = Decoder::new();
    let block = unhex(path.0);
    assert_eq!(
        decoder.decode(&block, &LIMITS, &mut HeaderList::new()),
        Ok(true)
    );
    // Not indexed: the dynamic table is still empty.
    let lost = decoder.decode(&[0xbe], &LIMITS, &mut HeaderList::new());
    assert_eq!(lost, Err(DecodeError::Index));
}

const REQUESTS: [&str; 3] = [
    ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n",
    ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n",
    ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n",
];

#[test]
fn c3_requests_in_plain_text() {
    check(
        "",
        &[
            (
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                REQUESTS[0],
            ),
            ("8286 84be 5808 6e6f 2d63 6163 6865", REQUESTS[1]),
            (
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
                REQUESTS[2],
            ),
        ],
    );
}

#[test]
fn c4_requests_in_huffman_code() {
    check(
        "",
        &[
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", REQUESTS[0]),
            ("8286 84be 5886 a8eb 1064 9cbf", REQUESTS[1]),
            (
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
                REQUESTS[2],
            ),
        ],
    );
}

const RESPONSES: [&str; 3] = [
    ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n",
    ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n",
    ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\nlocation: https://www.example.com\n\
     content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n",
];

/// The examples have a table of 256 bytes.
const TABLE_256: &str = "3fe1 01";

#[test]
fn c5_responses_in_plain_text_with_eviction() {
    check(
        TABLE_256,
        &[
            (
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 \
                 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                RESPONSES[0],
            ),
            ("4803 3330 37c1 c0bf", RESPONSES[1]),
            (
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a \
                 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d \
                 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
                RESPONSES[2],
            ),
        ],
    );
}

#[test]
fn c6_responses_in_huffman_code_with_eviction() {
    check(
        TABLE_256,
        &[
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d \
                 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                RESPONSES[0],
            ),
            ("4883 640e ffc1 c0bf", RESPONSES[1]),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d \
                 d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 \
                 3d50 07",
                RESPONSES[2],
            ),
        ],
    );
}

#[test]
fn blocks_that_break_the_rules_are_refused_for_good() {
    for (block, expected) in [
        ("80", DecodeError::Index),
        ("c0", DecodeError::Index),
        ("8220", DecodeError::TableSize),
        ("3fe2 1f", DecodeError::TableSize),
        ("40", DecodeError::Integer),
        ("4001", DecodeError::Integer),
        ("ff80 8080 8010", DecodeError::Integer),
        ("0081 ff00", DecodeError::Huffman),
        ("007f 83ff 0000", DecodeError::String),
    ] {
        let mut decoder = Decoder::new();
        let mut list = HeaderList::new();
        let error = decoder.decode(&unhex(block), &LIMITS, &mut list);
        assert_eq!(error, Err(expected), "{block}");
        assert_eq!(decoder.decode(&[0x82], &LIMITS, &mut list), Err(expected));
    }
}

/// A short block that names a long entry again and again keeps no more than the limit, and the
/// table stays in step.
#[test]
fn lists_that_are_too_large_are_cut_and_not_lost() {
    let mut decoder = Decoder::new();
    let mut list = HeaderList::new();
    let long = [b"\x40\x01a\x7f\xa1\x1e".as_slice(), &[b'x'; 4000]].concat();
    assert_eq!(decoder.decode(&long, &LIMITS, &mut list), Ok(true));
    list.clear();
    assert_eq!(
        decoder.decode(&[0xbe; 10_000], &LIMITS, &mut list),
        Ok(false)
    );
    assert_eq!((list.len(), list.size()), (4, 4 * (1 + 4000 + 32)));
    list.clear();
    let few = ListLimits {
        fields: 2,
        ..LIMITS
    };
    assert_eq!(decoder.decode(&[0x82; 3], &few, &mut list), Ok(false));
    assert_eq!(text(&list), ":method: GET\n:method: GET\n");
    list.clear();
    assert_eq!(decoder.decode(&[0xbe], &LIMITS, &mut list), Ok(true));
    assert_eq!(list.get(b"a").map(<[u8]>::len), Some(4000));
}

/// What is encoded is what is decoded, whatever repeats.
#[test]
fn encoded_lists_are_read_back() {
    let names = [
        ":path",
        ":method",
        "x-a",
        "tri-service-version",
        "content-type",
    ];
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    for round in 0..2000 {
        let mut list = HeaderList::new();
        for _ in 0..random(9) {
            let name = names[random(5) as usize];
            let len = if random(50) == 0 {
                3000
            } else {
                random(20) as usize
            };
            let value = [b'a' + random(3) as u8].repeat(len);
            list.push(name.as_bytes(), &value);
        }
        if random(100) == 0 {
            encoder.resize(random(5000) as usize);
        }
        let (mut block, mut read) = (vec![], HeaderList::new());
        encoder.encode(list.iter(), &mut block);
        assert_eq!(
            decoder.decode(&block, &LIMITS, &mut read),
            Ok(true),
            "{round}"
        );
        assert_eq!(text(&read), text(&list), "{round}");
    }
}
