//! Bytes from the text that people have of them.
//!
//! ```text
//! plain    dabbc200 00:00:00 0x00 \x05        separators and prefixes are let be
//! dump     00000000: dabb c200 ...  ....      xxd
//!          00000000  da bb c2 00 ...  |....|  hexdump -C
//!          000000 da bb c2 00 ...             od -A x -t x1
//!          0000   da bb c2 00 ...  ....       Wireshark
//!              0x0000:  4500 0034 ...  E..4   tcpdump -x, -X, -XX: a packet from each 0x0000 on
//! ```
//! A text with a line that begins with the offset zero is a dump, and all of its other lines are
//! let be: tcpdump's own line of a packet, an empty line, a title.

/// Reads a text: the pieces that it holds, several if a dump begins again at zero.
///
/// The error names the line.
pub(crate) fn parse(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let is_dump = text
        .lines()
        .any(|line| matches!(offset(line), Some((0, _))));
    if is_dump {
        return dump(text);
    }
    let mut bytes = Vec::new();
    for (number, line) in text.lines().enumerate() {
        plain(line, &mut bytes).map_err(|why| format!("line {}: {why}", number + 1))?;
    }
    match bytes.is_empty() {
        true => Err("there are no hexadecimal digits in it".into()),
        false => Ok(vec![bytes]),
    }
}

fn plain(line: &str, bytes: &mut Vec<u8>) -> Result<(), String> {
    let is_separator =
        |c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';' | '-' | '_' | '"' | '\'');
    let line = line
        .split('#')
        .next()
        .unwrap_or_default()
        .replace("\\x", " ");
    for word in line.split(is_separator).filter(|word| !word.is_empty()) {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        if let Some(other) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("{other:?} is no hexadecimal digit"));
        }
        let Some(read) = unhex(digits) else {
            return Err(format!("{word:?} has an odd number of digits"));
        };
        bytes.extend(read);
    }
    Ok(())
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |[high, low]: &[u8; 2]| Some((digit(high)? << 4 | digit(low)?) as u8);
    pairs.iter().map(byte).collect()
}

/// The offset that a line of a dump begins with, and what comes behind it.
fn offset(line: &str) -> Option<(usize, &str)> {
    let line = line.trim_start();
    let end = line.find(|c: char| !c.is_ascii_hexdigit() && c != 'x')?;
    let (word, rest) = line.split_at(end);
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let has_colon = rest.starts_with(": ") || rest.starts_with(":\t");
    let has_room = rest.starts_with("  ") || rest.starts_with('\t');
    let is_byte = |word: &str| word.len() == 2 && unhex(word).is_some();
    let before_byte = digits.len() >= 6 && rest.split(' ').nth(1).is_some_and(is_byte);
    if digits.len() < 4 || !(has_colon || has_room || before_byte) {
        return None;
    }
    let offset = usize::from_str_radix(digits, 16).ok()?;
    Some((offset, rest.trim_start_matches(':')))
}

fn dump(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |why: &str| format!("line {}: {why}", number + 1);
        if line.trim() == "*" {
            return Err(wrong(
                "lines are left out here (`*`); make the dump with -v",
            ));
        }
        let Some((offset, rest)) = offset(line) else {
            continue;
        };
        let row = row(rest);
        if row.is_empty() {
            continue;
        }
        if offset == 0 {
            pieces.push(Vec::new());
        }
        match pieces.last_mut() {
            Some(piece) if piece.len() == offset => piece.extend(row),
            Some(piece) => {
                let has = piece.len();
                return Err(wrong(&format!(
                    "the offset is {offset:#x}, and {has:#x} bytes came before it"
                )));
            }
            None => return Err(wrong("the dump does not begin at offset 0")),
        }
    }
    Ok(pieces)
}

/// The bytes of a row: groups of two or more digits, up to the column of characters.
fn row(rest: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = rest.trim_start();
    loop {
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        match unhex(word) {
            Some(read) if !word.is_empty() => bytes.extend(read),
            _ => return bytes,
        }
        let next = behind.trim_start_matches([' ', '\t']);
        let is_wide = behind.len() - next.len() > 1;
        // hexdump leaves a gap in the middle; the column of characters begins behind one too.
        let next_word = next.split([' ', '|']).next().unwrap_or_default();
        let is_middle = bytes.len() == 8
            && word.len() == 2
            && behind.len() - next.len() == 2
            && next_word.len() == 2
            && unhex(next_word).is_some();
        if next.is_empty() || is_wide && !is_middle {
            return bytes;
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x07\0\0\0\x01abcd";

    #[test]
    fn plain_text_of_all_kinds() {
        for text in [
            "dabbe2000000000000000007000000016162 6364",
            "DA:BB:E2:00:00:00:00:00:00:00:00:07:00:00:00:01:61:62:63:64\n",
            "0xda, 0xbb, 0xe2, 0,0"
                .replace("0,0", "0x00000000000000000700000001, 0x61626364")
                .as_str(),
            r#""\xda\xbb\xe2\x00\x00\x00\x00\x00\x00\x00\x00\x07" # the head
               "\x00\x00\x00\x01\x61\x62\x63\x64""#,
        ] {
            assert_eq!(parse(text), Ok(vec![BYTES.to_vec()]), "{text}");
        }
    }

    /// Each is what the tool of that name printed.
    #[test]
    fn dumps_of_all_kinds() {
        let xxd = "\
00000000: dabb e200 0000 0000 0000 0007 0000 0001  ................
00000010: 6162 6364                                abcd
";
        let hexdump = "\
00000000  da bb e2 00 00 00 00 00  00 00 00 07 00 00 00 01  |................|
00000010  61 62 63 64                                       |abcd|
00000014
";
        let od = "\
000000 da bb e2 00 00 00 00 00 00 00 00 07 00 00 00 01  >................<
000010 61 62 63 64                                      >abcd<
000014
";
        for text in [xxd, hexdump, od] {
            assert_eq!(parse(text), Ok(vec![BYTES.to_vec()]), "{text}");
        }
        let tcpdump = "\
19:10:01.000001 IP 127.0.0.1.41234 > 127.0.0.1.20880: Flags [P.], length 20
\t0x0000:  dabb e200 0000 0000 0000 0007 0000 0001  ................
\t0x0010:  6162 6364                                abcd
19:10:01.000002 IP 127.0.0.1.20880 > 127.0.0.1.41234: Flags [P.], length 4
\t0x0000:  6162 6364                                abcd
";
        let expected = vec![BYTES.to_vec(), b"abcd".to_vec()];
        assert_eq!(parse(tcpdump), Ok(expected));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("", "there are no hexadecimal digits in it"),
            ("dabb\nhello", "line 2: 'h' is no hexadecimal digit"),
            ("dab", "line 1: \"dab\" has an odd number of digits"),
            (
                "00000000  da bb\n*\n00000020  00\n",
                "line 2: lines are left out here (`*`); make the dump with -v",
            ),
            (
                "00000000: dabb\n00000010: 00\n",
                "line 2: the offset is 0x10, and 0x2 bytes came before it",
            ),
        ] {
            assert_eq!(parse(text), Err(message.into()));
        }
    }
}
