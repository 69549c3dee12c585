//! Bytes of a source come in pieces that end between documents. Gzip is told by its first bytes, not by a name.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

/// Pieces are about this long: small enough to spread over cores, large enough to cost nothing each.
const PIECE: usize = 4 << 20;

/// Cuts a reader into pieces.
pub(crate) struct Pieces<R: Read> {
    reader: Input<R>,
    kept: Vec<u8>,
    offset: u64,
    ended: bool,
}

/// Bytes of whole documents, and where they start in the uncompressed source.
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

enum Input<R: Read> {
    Plain(Peeked<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Peeked<R>>>>),
}

type Peeked<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

impl<R: Read> Pieces<R> {
    pub(crate) fn new(mut reader: R) -> io::Result<Pieces<R>> {
        let mut first = Vec::with_capacity(2);
        reader.by_ref().take(2).read_to_end(&mut first)?;
        let gzip = first == [0x1f, 0x8b];
        let peeked = io::Cursor::new(first).chain(reader);
        let reader = if gzip {
            Input::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(
                1 << 18,
                peeked,
            ))))
        } else {
            Input::Plain(peeked)
        };
        Ok(Pieces {
            reader,
            kept: Vec::new(),
            offset: 0,
            ended: false,
        })
    }

    /// Uncompressed bytes handed out so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset + self.kept.len() as u64
    }

    /// The next piece; `None` at the end. One document longer than a piece makes the piece as long as it is.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece>> {
        let mut wanted = PIECE;
        while !self.ended {
            self.fill(wanted)?;
            if self.ended {
                break;
            }
            if let Some(end) = finding::boundary(&self.kept) {
                let rest = self.kept.split_off(end);
                return Ok(Some(self.hand_out(rest)));
            }
            wanted = self.kept.len() * 2;
        }
        Ok((!self.kept.is_empty()).then(|| self.hand_out(Vec::new())))
    }

    fn hand_out(&mut self, rest: Vec<u8>) -> Piece {
        let bytes = std::mem::replace(&mut self.kept, rest);
        let piece = Piece {
            offset: self.offset,
            bytes,
        };
        self.offset += piece.bytes.len() as u64;
        piece
    }

    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let missing = wanted.saturating_sub(self.kept.len());
        self.kept.reserve(missing);
        let read = match &mut self.reader {
            Input::Plain(reader) => reader.take(missing as u64).read_to_end(&mut self.kept)?,
            Input::Gzip(reader) => reader.take(missing as u64).read_to_end(&mut self.kept)?,
        };
        self.ended = read < missing;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(bytes: &[u8]) -> Vec<(u64, usize)> {
        let mut pieces = Pieces::new(bytes).unwrap();
        std::iter::from_fn(|| pieces.next().unwrap())
            .map(|piece| (piece.offset, piece.bytes.len()))
            .collect()
    }

    #[test]
    fn pieces_cover_the_source_and_end_between_documents() {
        let line = format!("{{\"a\":\"{}\"}}\n", "x".repeat(999));
        let text = line.repeat(9_000);
        let pieces = read(text.as_bytes());
        assert!(pieces.len() > 1);
        assert!(
            pieces
                .iter()
                .all(|(offset, length)| *offset % 1008 == 0 && length % 1008 == 0),
            "{pieces:?}"
        );
        assert_eq!(
            pieces.iter().map(|(_, length)| length).sum::<usize>(),
            text.len()
        );

        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        assert_eq!(read(&gzip.finish().unwrap()), pieces);
    }

    #[test]
    fn short_and_empty_sources() {
        assert_eq!(read(b""), vec![]);
        assert_eq!(read(b"{"), vec![(0, 1)]);
        assert_eq!(read(b"{}\n{}"), vec![(0, 5)]);
    }

    #[test]
    fn a_torn_gzip_is_an_error_after_what_could_be_read() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"{}\n{}\n").unwrap();
        let whole = gzip.finish().unwrap();
        let mut pieces = Pieces::new(&whole[..whole.len() - 6]).unwrap();
        assert!(pieces.next().is_err());
    }
}
