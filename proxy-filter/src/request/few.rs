//! A list that keeps its first elements in place, so that ordinary calls need no allocation.

/// So many elements are kept in place.
const PLACES: usize = 6;

/// Elements in the order in which they were added.
#[derive(Debug)]
pub(super) struct Few<T> {
    places: [Option<T>; PLACES],
    used: usize,
    more: Vec<Option<T>>,
    len: usize,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self {
            places: [const { None }; PLACES],
            used: 0,
            more: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Few<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, element: T) {
        self.len += 1;
        match self.places.get_mut(self.used) {
            Some(place) => {
                *place = Some(element);
                self.used += 1;
            }
            None => self.more.push(Some(element)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.places[..self.used].iter().chain(&self.more).flatten()
    }

    /// The place of the first element that `is` it.
    pub(super) fn find(&mut self, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        let places = self.places[..self.used].iter_mut();
        places.chain(&mut self.more).flatten().find(|one| is(one))
    }

    /// Takes the elements out that are.
    pub(super) fn remove(&mut self, is: impl Fn(&T) -> bool) {
        let places = self.places[..self.used].iter_mut();
        for place in places.chain(&mut self.more) {
            if place.as_ref().is_some_and(&is) {
                *place = None;
                self.len -= 1;
            }
        }
    }
}
