//! How many connections one address may hold at once, so that nobody alone takes all of a listener's. Owns the counts,
//! which are no more than there are connections. A proxy of ours holds its clients' and is not counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::customer;

/// The places of one listener.
pub(super) struct Places {
    most: u32,
    proxies: Arc<[IpAddr]>,
    held: Mutex<HashMap<IpAddr, u32>>,
}

/// A connection's place, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    holder: Option<IpAddr>,
}

impl Places {
    pub(super) fn new(most: u32, proxies: Arc<[IpAddr]>) -> Arc<Self> {
        Arc::new(Self { most, proxies, held: Mutex::default() })
    }

    /// A place for one more connection of this address; `None` where it holds too many.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        if self.proxies.contains(&address.to_canonical()) {
            return Some(Place { places: Arc::clone(self), holder: None });
        }
        let holder = customer::of(address);
        let mut held = self.held();
        let count = held.entry(holder).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(held);
        Some(Place { places: Arc::clone(self), holder: Some(holder) })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(holder) = self.holder else { return };
        let mut held = self.places.held();
        if let Some(count) = held.get_mut(&holder) {
            *count -= 1;
            if *count == 0 {
                held.remove(&holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_holds_so_many_and_gets_one_for_each_that_it_gives_back() {
        let places = Places::new(2, Arc::new([]));
        let mut held = vec![places.take(address("2001:db8::1")).unwrap(), places.take(address("2001:db8::2")).unwrap()];
        assert!(places.take(address("2001:db8::3")).is_none(), "the same /64");
        assert!(places.take(address("192.0.2.1")).is_some());
        held.pop();
        assert!(places.take(address("2001:db8::3")).is_some());
        held.clear();
        assert!(places.held().is_empty(), "nobody who holds nothing is remembered");
    }

    #[test]
    fn a_proxy_of_ours_is_not_counted() {
        let places = Places::new(1, Arc::new([address("192.0.2.1")]));
        let held: Vec<_> = (0..3).filter_map(|_| places.take(address("::ffff:192.0.2.1"))).collect();
        assert_eq!(held.len(), 3);
    }
}
