//! Any block is decoded within its limits or refused, and what was decoded is encoded and read back.
#![no_main]

use dubbo_proxy_filter::hpack::{Decoder, Encoder, HeaderList, ListLimits};
use libfuzzer_sys::fuzz_target;

const LIMITS: ListLimits = ListLimits { fields: 50, size: 4096, string: 8192 };

fuzz_target!(|blocks: Vec<Vec<u8>>| {
    let (mut decoder, mut encoder, mut mirror) = (Decoder::new(), Encoder::new(), Decoder::new());
    for block in blocks {
        let mut list = HeaderList::new();
        let Ok(_) = decoder.decode(&block, &LIMITS, &mut list) else { return };
        assert!(list.size() <= LIMITS.size && list.len() <= LIMITS.fields);
        let (mut again, mut read) = (Vec::new(), HeaderList::new());
        encoder.encode(list.iter(), &mut again);
        assert_eq!(mirror.decode(&again, &LIMITS, &mut read), Ok(true));
        assert!(read.iter().eq(list.iter()));
    }
});
