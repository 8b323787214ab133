//! The checkout: each order asks the inventory, and again if that fails. There is room for so many orders at once; the
//! next one is turned away. Behind an open breaker an order is taken for later.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{Options, breaker::Breaker, http, metrics::Metrics};

const POOL: &str = "pool_in_use";
const LATER: &str = "orders_taken_for_later_total";
const OPENED: &str = "breaker_opened_total";
const REFUSED: &str = "orders_refused_total";

pub(crate) struct Checkout {
    inventory: String,
    retries: u32,
    timeout: Duration,
    room: Mutex<u32>,
    breaker: Breaker,
    metrics: Arc<Metrics>,
}

impl Checkout {
    pub(crate) fn new(options: &mut Options, metrics: Arc<Metrics>) -> Result<Self, Box<dyn Error>> {
        for name in [POOL, LATER, OPENED, REFUSED] {
            metrics.add(name, 0);
        }
        let breaker: String = options.take("breaker", Some("on"))?;
        let breaker = match breaker.as_str() {
            "on" => Breaker::new(true),
            "off" => Breaker::new(false),
            other => return Err(format!("--breaker {other}: it is on or off").into()),
        };
        Ok(Self {
            inventory: options.take("inventory", None)?,
            retries: options.take("retries", Some("3"))?,
            timeout: Duration::from_millis(options.take("timeout-ms", Some("600"))?),
            room: Mutex::new(options.take("pool", Some("200"))?),
            breaker,
            metrics,
        })
    }

    pub(crate) fn answer(&self, request: &str) -> (u16, String) {
        if request != "POST /checkout" {
            return (404, String::new());
        }
        if !self.enter() {
            self.metrics.add(REFUSED, 1);
            return (503, "too many orders\n".to_owned());
        }
        let answer = self.order();
        self.leave();
        answer
    }

    fn order(&self) -> (u16, String) {
        for _ in 0..=self.retries {
            if !self.breaker.lets_through() {
                self.metrics.add(LATER, 1);
                return (202, "ordered, to be reserved later\n".to_owned());
            }
            let well = matches!(http::post(&self.inventory, "/reserve", self.timeout), Ok(200));
            if self.breaker.ended(well) {
                self.metrics.add(OPENED, 1);
            }
            if well {
                return (200, "ordered\n".to_owned());
            }
        }
        (503, "the inventory does not answer\n".to_owned())
    }

    /// Takes one of the places, if there is one.
    fn enter(&self) -> bool {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let enters = *room > 0;
        if enters {
            *room -= 1;
            self.metrics.add(POOL, 1);
        }
        enters
    }

    fn leave(&self) {
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.metrics.add(POOL, -1);
    }
}
