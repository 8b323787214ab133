//! The word that ends a source: it begins nothing more, and waits for what is under way.

use tokio::sync::watch;

/// Tells when to stop. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Sending `true`, or dropping the sender, is the word.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (say, hear) = watch::channel(false);
        (say, Self(hear))
    }

    /// Until the word is given.
    pub async fn given(&mut self) {
        // Nobody is left to give it: an end as well.
        _ = self.0.wait_for(|&stop| stop).await;
    }
}
