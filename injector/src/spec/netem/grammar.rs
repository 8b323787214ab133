//! Reads the second half of a rule on packets: what happens to them.

use crate::spec::{
    error::Located,
    familiar,
    nearest::{Near, nearest},
    netem::{
        Chance, Corrupt, Delay, Distribution, Limit, Loss, Netem, Rate, Reorder, alone,
        reader::{Reader, looks_like_a_number},
    },
    packet::NetFault,
    problem::{NetemProblem, PacketProblem, WordProblem},
    quantity::{bytes, size},
    vocabulary::{ALONE, MATCH_WORDS, NETEM_WORDS, REFUSED},
    word::Word,
};

const ONE: &str = "leave one of them out";

/// Reads it.
pub(in crate::spec) fn fault(text: Word<'_>) -> Result<NetFault, Located> {
    let mut words = Reader::new(text);
    let mut netem = Netem::default();
    let mut extra = Extra::default();
    let mut seen: Vec<Word<'_>> = Vec::new();
    let mut alone = None;
    while let Some(word) = words.next() {
        let known = if word.text == "latency" { "delay" } else { word.text };
        if seen.iter().any(|seen| seen.text == known || seen.text == word.text) {
            return Err(word.problem(WordProblem::Twice(word.text.into())));
        }
        match alone::read(word, &mut words)? {
            Some(fault) => alone = Some((word, fault)),
            None => take(word, &mut words, &mut netem, &mut extra)?,
        }
        seen.push(word);
    }
    if let Some((word, fault)) = alone {
        let Some(other) = seen.iter().find(|other| other.text != word.text) else { return Ok(fault) };
        let (first, second, remedy) = (word.text.into(), other.text.into(), alone::remedy(&fault).into());
        return Err(other.problem(WordProblem::Contradiction { first, second, remedy }));
    }
    if seen.is_empty() {
        return Err(text.problem(PacketProblem::NoNetFault));
    }
    extra.finish(&mut netem)?;
    Ok(NetFault::Netem(netem.into()))
}

/// What belongs to another word, which may come later.
#[derive(Default)]
struct Extra<'a> {
    distribution: Option<(Word<'a>, Distribution)>,
    ordered: Option<Word<'a>>,
    reorder: Option<(Word<'a>, Chance)>,
    gap: Option<(Word<'a>, u32)>,
    burst: Option<(Word<'a>, u64)>,
}

/// One word with its values.
fn take<'a>(
    word: Word<'a>,
    words: &mut Reader<'a>,
    netem: &mut Netem,
    extra: &mut Extra<'a>,
) -> Result<(), Located> {
    match word.text {
        "loss" => netem.loss = Some(Loss::read(word, words)?),
        "duplicate" => netem.duplicate = Some(Chance::read(word, words, "duplicate 1%")?),
        "corrupt" => {
            let chance = Chance::read(word, words, "corrupt 0.1%")?;
            netem.corrupt = Some(Corrupt { chance, fixed: words.exactly("fixed").is_some() });
        }
        "delay" | "latency" => netem.delay = Some(Delay::read(word, words)?),
        "distribution" => {
            let name = words.value(word, "delay 100ms 20ms distribution normal")?;
            extra.distribution = Some((word, Distribution::read(name)?));
        }
        "ordered" => extra.ordered = Some(word),
        "reorder" => extra.reorder = Some((word, Chance::read(word, words, "delay 10ms reorder 25%")?)),
        "gap" => {
            let number = words.value(word, "reorder 25% gap 5")?;
            extra.gap = Some((word, packets(number)?));
        }
        "rate" => netem.rate = Some(Rate::read(word, words)?),
        "burst" => extra.burst = Some((word, size(words.value(word, "rate 1mbit burst 15kb")?)?)),
        "limit" => netem.limit = Some(limit(words.value(word, "limit 1000")?)?),
        other => return Err(stranger(word, other)),
    }
    Ok(())
}

/// A number of packets, or with a unit of bytes.
fn limit(word: Word<'_>) -> Result<Limit, Located> {
    if bytes(word.text).is_none() {
        return packets(word).map(Limit::Packets);
    }
    size(word).map(Limit::Bytes)
}

/// A number of packets, from 1.
fn packets(word: Word<'_>) -> Result<u32, Located> {
    let number = word.decimal::<u32>().filter(|&number| number > 0);
    number.ok_or_else(|| word.problem(NetemProblem::PacketCount(word.text.into())))
}

/// A word that is none of netem's, or none that is done here.
fn stranger(word: Word<'_>, text: &str) -> Located {
    if let Some((_, why, instead)) = REFUSED.iter().find(|(refused, ..)| *refused == text) {
        return word.problem(NetemProblem::NotHere { word: text.into(), why, instead });
    }
    if looks_like_a_number(word) {
        return word.problem(NetemProblem::Surplus(text.into()));
    }
    if MATCH_WORDS.contains(&text) {
        return word.problem(PacketProblem::MatchBehind(text.into()));
    }
    let near = match text {
        _ if let Some(ours) = familiar::impairment(text.split('=').next().unwrap_or(text)) => Some(ours),
        "normal" | "pareto" | "paretonormal" => Some(format!("distribution {text}").into()),
        // As rules on calls have it, where netem has a blank.
        _ if let Some((name, value)) = text.split_once('=')
            && NETEM_WORDS.into_iter().chain(ALONE).any(|word| word == name) =>
        {
            Some(format!("{name} {value}").into())
        }
        _ => {
            // `fixed` stands behind `corrupt`, but nowhere else.
            let all = NETEM_WORDS.into_iter().chain(ALONE).chain(["fixed"]);
            let name = text.split_inclusive('=').next().unwrap_or(text);
            nearest(name, all.filter(|word| *word != text)).map(Near::from)
        }
    };
    word.problem(NetemProblem::UnknownNetFault { word: text.into(), near })
}

impl Extra<'_> {
    /// Puts each to what it belongs to.
    fn finish(self, netem: &mut Netem) -> Result<(), Located> {
        if let Some((word, distribution)) = self.distribution {
            match &mut netem.delay {
                Some(delay) if delay.jitter > 0 => delay.distribution = distribution,
                _ => {
                    return Err(word.problem(NetemProblem::NothingToDistribute {
                        example: "delay 100ms 20ms distribution normal",
                    }));
                }
            }
        }
        if let Some(word) = self.ordered {
            if let Some((reorder, _)) = self.reorder {
                let (first, second) = (word.text.into(), reorder.text.into());
                return Err(reorder.problem(WordProblem::Contradiction {
                    first,
                    second,
                    remedy: ONE.into(),
                }));
            }
            match &mut netem.delay {
                Some(delay) if delay.jitter > 0 => delay.ordered = true,
                _ => return Err(word.problem(NetemProblem::NothingToOrder)),
            }
        }
        if let Some((word, burst)) = self.burst {
            let rate = netem.rate.as_mut().ok_or_else(|| word.problem(NetemProblem::NothingToBurst))?;
            rate.burst = burst;
        }
        match (self.reorder, self.gap) {
            (Some((word, _)), _) if netem.delay.is_none() => {
                return Err(word.problem(NetemProblem::NothingToOvertake));
            }
            (None, Some((word, _))) => return Err(word.problem(NetemProblem::GapAlone)),
            (Some((_, chance)), gap) => {
                netem.reorder = Some(Reorder { chance, gap: gap.map_or(1, |(_, gap)| gap) });
            }
            (None, None) => {}
        }
        Ok(())
    }
}
