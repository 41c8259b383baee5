//! A list that keeps its first elements in place, so that ordinary frames need no allocation.
//!
//! It knows nothing of what it holds. How long a list may get is for its owner to bound.

use alloc::vec::Vec;

/// Up to `N` elements in place; when there are more, all of them are in the vector. Either way they are
/// one slice.
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
    pub(crate) fn as_slice(&self) -> &[T] {
        match self.inline.get(..self.len) {
            Some(elements) => elements,
            None => &self.spill,
        }
    }

    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        match self.inline.get_mut(..self.len) {
            Some(elements) => elements,
            None => &mut self.spill,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        match self.inline.get_mut(self.len) {
            Some(place) => *place = value,
            None => self.push_spilled(value),
        }
        self.len += 1;
    }

    #[cold]
    fn push_spilled(&mut self, value: T) {
        if self.len == N {
            self.spill.clear();
            self.spill.extend_from_slice(&self.inline);
        }
        self.spill.push(value);
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        let Some(value) = self.inline.get(last) else {
            return self.pop_spilled();
        };
        self.len = last;
        Some(*value)
    }

    #[cold]
    fn pop_spilled(&mut self) -> Option<T> {
        let last = self.spill.pop();
        self.len = self.spill.len();
        if self.len == N {
            self.inline.copy_from_slice(&self.spill);
        }
        last
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<T> {
        if index >= self.len {
            return None;
        }
        match self.len > N {
            false => self.inline.get(index).copied(),
            true => self.spill.get(index).copied(),
        }
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = T> + DoubleEndedIterator + '_ {
        self.as_slice().iter().copied()
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
        // What was in place when it spilled is what counts when it comes back.
        for value in [7, 8, 9] {
            list.push(value);
        }
        list.as_mut_slice().reverse();
        assert_eq!(list.as_slice(), [9, 8, 7]);
        assert_eq!((list.pop(), list.as_slice()), (Some(7), &[9, 8][..]));
    }
}
