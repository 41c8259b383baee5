//! A list that keeps its first elements in place, so that ordinary frames need no allocation.
//!
//! It knows nothing of what it holds. How long a list may get is for its owner to bound.

use alloc::vec::Vec;

/// Up to `N` elements in place, the rest in a vector.
#[derive(Clone, Debug)]
pub(crate) struct Inline<T, const N: usize> {
    len: usize,
    inline: [T; N],
    spill: Vec<T>,
}

impl<T: Copy + Default, const N: usize> Default for Inline<T, N> {
    fn default() -> Self {
        Self {
            len: 0,
            inline: [T::default(); N],
            spill: Vec::new(),
        }
    }
}

impl<T: Copy, const N: usize> Inline<T, N> {
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        match self.inline.get_mut(self.len) {
            Some(place) => *place = value,
            None => self.spill.push(value),
        }
        self.len += 1;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        match self.inline.get(self.len) {
            Some(value) => Some(*value),
            None => self.spill.pop(),
        }
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<T> {
        if index >= self.len {
            return None;
        }
        match self.inline.get(index) {
            Some(value) => Some(*value),
            None => self.spill.get(index - N).copied(),
        }
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match index.checked_sub(N) {
            None => self.inline.get_mut(index),
            Some(spilled) => self.spill.get_mut(spilled),
        }
    }

    /// Sorts by insertion, which suits few elements and those that are in order already.
    pub(crate) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(T) -> K) {
        for sorted in 1..self.len {
            let mut at = sorted;
            while let (Some(before), Some(here)) = (self.get(at.wrapping_sub(1)), self.get(at))
                && key(before) > key(here)
            {
                for (place, value) in [(at - 1, here), (at, before)] {
                    if let Some(found) = self.get_mut(place) {
                        *found = value;
                    }
                }
                at -= 1;
            }
        }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = T> + '_ {
        let inline = &self.inline[..self.len.min(N)];
        inline.iter().chain(&self.spill).copied()
    }
}

impl<T: Copy + PartialEq, const N: usize> PartialEq for Inline<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: Copy + Eq, const N: usize> Eq for Inline<T, N> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spills_and_comes_back() {
        let mut list = Inline::<u8, 2>::default();
        for value in 1..=4 {
            list.push(value);
        }
        assert!(list.iter().eq([1, 2, 3, 4]));
        assert_eq!(
            (list.get(1), list.get(3), list.get(4)),
            (Some(2), Some(4), None)
        );
        for value in (1..=4).rev() {
            assert_eq!(list.pop(), Some(value));
        }
        assert_eq!((list.pop(), list.len(), list.get(0)), (None, 0, None));
        for value in [3, 1, 4, 1, 5] {
            list.push(value);
        }
        list.sort_by_key(|value| value);
        assert!(list.iter().eq([1, 1, 3, 4, 5]));
    }
}
