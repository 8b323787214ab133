//! The file as it is written: what serde reads, and what the schema describes. Nothing is understood yet beyond keys and
//! kinds of values; [`meaning`](super::meaning) does that.

mod action;
mod choice;
mod file;
mod lab;
mod step;
mod text;
mod watch;

pub(super) use self::{
    action::{ActionForm, ExpectForm, HttpForm},
    choice::{NumberOrText, TextOr, TextOrList},
    file::{FileForm, HypothesisForm, ParameterForm, ReportForm, SteadyForm},
    lab::{LabForm, LimitsForm, ReadyForm, RestartForm, ServiceForm, TargetForm},
    step::{CutForm, PulseForm, RepeatForm, SetForm, StepForm, StepKeys, VaryForm},
    text::{Flag, Placed, Text, Whole, place},
    watch::{FiguresForm, LoadForm, ProbeForm},
};
