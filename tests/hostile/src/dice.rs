//! Bytes as choices: the same bytes always choose the same, and fewer bytes choose the first of everything. So a fuzzer's
//! mutation of a byte is a mutation of one choice.

/// Choices that are left.
#[derive(Debug, Clone)]
pub struct Dice<'b>(&'b [u8]);

impl<'b> Dice<'b> {
    /// Choices from bytes.
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all are made.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; zero when there is none.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// One of these, of which there is at least one.
    pub fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        let at = self.below(of.len());
        of.get(at).unwrap_or_else(|| panic!("a choice needs something to choose from"))
    }

    /// A large number, or one near the ends of what a number can be.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            0 => 0,
            1 => u64::MAX,
            2 => i64::MAX.unsigned_abs(),
            3 => (1 << 53) - 1,
            4 => 1 << 53,
            n @ 5..128 => u64::from(n),
            _ => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    /// What is left, as bytes.
    pub const fn rest(&self) -> &'b [u8] {
        self.0
    }
}

/// The text that these bytes are, if they are one.
pub fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Bytes without end that follow from a number (`SplitMix64`), for whoever has no fuzzer.
#[derive(Debug)]
pub struct Stream(u64);

impl Stream {
    /// The bytes of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next word.
    pub const fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| self.word().to_le_bytes()).collect();
        bytes.truncate(length);
        bytes
    }
}
