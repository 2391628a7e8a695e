//! An answer as lines, of which one is in memory. Owns the cutting, and the limits of a line and of a silence.

use std::time::Duration;

use reqwest::Response;

use super::upstream::NoAnswer;

/// Longest line: of a snapshot a cut-off, of a stream one event's data.
const LINE_MAX: usize = 8 << 20;

/// Reads lines.
pub(super) struct Lines {
    response: Response,
    silence: Duration,
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins.
    start: usize,
}

impl Lines {
    /// Nothing more for `silence` is a failure.
    pub(super) fn new(response: Response, silence: Duration) -> Self {
        Self { response, silence, buffer: Vec::new(), start: 0 }
    }

    /// The next line without its end; `None` where the answer has ended behind the last one.
    pub(super) async fn next(&mut self) -> Result<Option<String>, NoAnswer> {
        let mut searched = self.start;
        loop {
            let rest = self.buffer.get(searched..).unwrap_or_default();
            if let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                let end = searched + length;
                let line = self.buffer.get(self.start..end).unwrap_or_default().to_vec();
                self.start = end + 1;
                return String::from_utf8(line)
                    .map(Some)
                    .map_err(|_| NoAnswer::Unreadable("it is no UTF-8".to_owned()));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            searched = self.buffer.len();
            if searched > LINE_MAX {
                return Err(NoAnswer::Unreadable("a line of it does not end".to_owned()));
            }
            let next = tokio::time::timeout(self.silence, self.response.chunk()).await;
            match next.map_err(|_| NoAnswer::Unreadable("it went silent".to_owned()))?? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(NoAnswer::Unreadable("it ended within a line".to_owned())),
            }
        }
    }
}
