//! Any block is decoded within its limits or refused, and what was decoded is encoded and read back.
#![no_main]

use dubbo_proxy_filter::hpack::{Decoder, Encoder, HeaderList, ListLimits};
use dubbo_proxy_filter_fuzz::pieces;
use libfuzzer_sys::fuzz_target;

const LIMITS: ListLimits = ListLimits { fields: 50, size: 4096, string: 8192 };

fuzz_target!(|input: &[u8]| {
    let (mut decoder, mut encoder, mut mirror) = (Decoder::new(), Encoder::new(), Decoder::new());
    let (mut list, mut read) = (HeaderList::new(), HeaderList::new());
    for piece in pieces(input) {
        list.clear();
        let Ok(_) = decoder.decode(piece.bytes(), &LIMITS, &mut list) else { return };
        assert!(list.size() <= LIMITS.size && list.len() <= LIMITS.fields);
        if piece.kind == 7 {
            encoder.resize(piece.bytes().len());
        }
        let mut again = Vec::new();
        read.clear();
        encoder.encode(list.fields(), &mut again);
        assert_eq!(mirror.decode(&again, &LIMITS, &mut read), Ok(true));
        assert!(read.fields().eq(list.fields()));
    }
});
