//! Chance that follows from a seed: the same seed, the same draws.

/// A generator.
#[derive(Debug, Clone)]
pub struct Luck(u64);

impl Luck {
    /// Of neighbouring seeds two that have nothing in common.
    pub fn of(seed: u64) -> Self {
        Self(scattered(seed))
    }

    /// Of a part of what has this seed: a cycle, a worker.
    pub fn part(seed: u64, number: u64) -> Self {
        Self(scattered(scattered(seed).wrapping_add(number)))
    }

    /// Any number below `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % (end.max(1) as u64)).unwrap_or(0)
    }

    /// One time in so many.
    pub fn once_in(&mut self, turns: usize) -> bool {
        self.below(turns) == 0
    }

    /// Any of these.
    pub fn any<'a, T>(&mut self, these: &'a [T]) -> Option<&'a T> {
        these.get(self.below(these.len()))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        let (state, drawn) = next(self.0);
        self.0 = state;
        drawn
    }
}

/// A generator's first state: of neighbouring seeds one that has nothing in common, and never zero.
pub fn scattered(seed: u64) -> u64 {
    let mixed = (seed ^ 0x5bf0_3635).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)) | 1
}

/// xorshift: the next state, and what it gives.
pub const fn next(mut state: u64) -> (u64, u64) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    (state, state >> 24)
}
