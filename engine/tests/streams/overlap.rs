//! An epoch is computed while the one before it is written.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use keymill::arrow::array::{Int64Array, RecordBatch};
use keymill::arrow::schema::{DataType, Field, Schema, SchemaRef};
use keymill::read::RecordBatches;
use keymill::stream::{
    CallbackSink, EpochInput, EpochLimits, MemorySink, OffsetRange, OutputMode, Replay,
    SourceContext, StreamQuery, StreamSource, Trigger, sum,
};
use keymill::{Error, ErrorKind, KeyedStream, Result};
use serde_json::Value;

use crate::fixtures::engine;
use crate::recovery::{Place, crash_at, expected};

/// Longer than a machine that is busy needs for an epoch.
const LONG: Duration = Duration::from_secs(30);

/// What the last epoch of a source does.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Ends,
    NeverEnds,
    Fails,
}

/// A source with an epoch a number, which tells what is read.
struct Told {
    told: Sender<u64>,
    next: u64,
    last: u64,
    does: Last,
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

fn batch(number: u64) -> RecordBatch {
    let numbers = Arc::new(Int64Array::from(vec![number as i64]));
    RecordBatch::try_new(schema(), vec![numbers]).unwrap()
}

impl StreamSource for Told {
    fn describe(&self) -> String {
        "told".to_owned()
    }
    fn kind(&self) -> &'static str {
        "told"
    }
    fn replay(&self) -> Replay {
        Replay::SameBytes
    }
    fn schema(&self) -> Result<Option<SchemaRef>> {
        Ok(Some(schema()))
    }
    fn start(&mut self, _: SourceContext) -> Result<()> {
        Ok(())
    }
    fn next_range(&mut self, _: &EpochLimits) -> Result<Option<OffsetRange>> {
        let range = OffsetRange::numbers(self.next, self.next + 1);
        let is_there = self.next <= self.last;
        self.next += u64::from(is_there);
        Ok(is_there.then_some(range))
    }
    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        let number = range.start.as_u64().unwrap();
        let _ = self.told.send(number);
        let rows = match self.does {
            Last::NeverEnds if number == self.last => usize::MAX,
            Last::Fails if number == self.last => {
                return Err(Error::new(ErrorKind::Source, "the source is broken"));
            }
            _ => 1,
        };
        let batches = std::iter::repeat_with(move || batch(number)).take(rows);
        Ok(EpochInput::Batches(RecordBatches::new(batches)))
    }
    fn position(&self) -> Value {
        self.next.into()
    }
}

fn totals(last: u64, does: Last) -> (KeyedStream, Receiver<u64>) {
    let (told, read) = channel();
    let source = Told {
        told,
        next: 0,
        last,
        does,
    };
    let stream = engine(1).stream(source).trigger(Trigger::AvailableNow);
    let totals = stream.group_by(["n"], ["count".parse().unwrap()]);
    (totals.update_state(sum()), read)
}

/// Waits until an epoch is read.
fn wait_for(read: &Receiver<u64>, epoch: u64) -> std::result::Result<(), RecvTimeoutError> {
    while read.recv_timeout(LONG)? < epoch {}
    Ok(())
}

#[test]
fn the_next_epoch_is_read_before_the_sinks_have_this_one() {
    let results = MemorySink::new();
    let (query, read) = totals(3, Last::Ends);
    let slow = CallbackSink::new(move |epoch, _| {
        if epoch < 3 {
            wait_for(&read, epoch + 1)
                .map_err(|_| Error::new(ErrorKind::Sink, "the next epoch is not read meanwhile"))?;
        }
        Ok(())
    });
    let reports = Arc::new(Mutex::new(Vec::new()));
    let seen = reports.clone();
    let query = query.on_progress(move |it| seen.lock().unwrap().push(it.batch_id));
    query.sink(slow).sink(results.clone()).run().unwrap();
    assert_eq!(*reports.lock().unwrap(), [0, 1, 2, 3]);
    // Every epoch has its own groups, and not those of the next one.
    let rows: Vec<(u64, RecordBatch)> = results
        .epochs()
        .into_iter()
        .map(|(epoch, mut batches)| (epoch, batches.remove(0)))
        .collect();
    assert_eq!(rows.len(), 4);
    for (epoch, rows) in rows {
        assert_eq!(rows.num_rows(), 1);
        assert_eq!(rows.column(0).as_ref(), batch(epoch).column(0).as_ref());
    }
}

#[test]
fn an_error_of_a_sink_ends_the_epoch_that_is_computed_meanwhile() {
    let results = MemorySink::new();
    let (query, read) = totals(2, Last::NeverEnds);
    let failing = CallbackSink::new(move |epoch, _| {
        if epoch == 1 {
            wait_for(&read, 2).expect("the endless epoch is read");
            return Err(Error::new(ErrorKind::Sink, "the sink is broken"));
        }
        Ok(())
    });
    let error = query.sink(failing).sink(results.clone()).run().unwrap_err();
    assert_eq!(error.message(), "the sink is broken");
    assert_eq!(results.epochs().len(), 1);
}

#[test]
fn an_error_of_a_sink_is_the_error_of_the_query() {
    for failing in 0..=3 {
        // That of the last epoch, too, after which nothing is computed.
        let (query, _read) = totals(3, Last::Ends);
        let sink = CallbackSink::new(move |epoch, _| match epoch == failing {
            true => Err(Error::new(ErrorKind::Sink, "the sink is broken")),
            false => Ok(()),
        });
        let error = query.sink(sink).run().unwrap_err();
        assert_eq!(error.message(), "the sink is broken", "epoch {failing}");
    }
    // The epoch after it fails first, and is of no use anyway.
    let (query, read) = totals(2, Last::Fails);
    let sink = CallbackSink::new(move |epoch, _| {
        if epoch == 1 {
            wait_for(&read, 2).expect("the next epoch is read");
            return Err(Error::new(ErrorKind::Sink, "the sink is broken"));
        }
        Ok(())
    });
    let error = query.sink(sink).run().unwrap_err();
    assert_eq!(error.message(), "the sink is broken");
    // Without an error of the sink it is the one of the query.
    let (query, _read) = totals(2, Last::Fails);
    let results = MemorySink::new();
    let error = query.sink(results.clone()).run().unwrap_err();
    assert_eq!(error.message(), "the source is broken");
    assert_eq!(results.epochs().len(), 2);
}

#[test]
fn the_steps_of_two_epochs_keep_their_order() {
    let place = Place::new();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let query = place.query(OutputMode::Update).snapshot_every(1);
    let query = query.fault_hook(move |step, epoch| seen.lock().unwrap().push((step, epoch)));
    query.run().unwrap();
    let steps = steps.lock().unwrap();
    let at = |step: &str, epoch: u64| {
        let mut found = steps.iter();
        let found = found.position(|it| *it == (step, epoch));
        found.unwrap_or_else(|| panic!("no {step} of epoch {epoch}"))
    };
    let in_order = [
        "offsets", "computed", "merged", "delta", "prepared", "sink", "commit", "snapshot",
    ];
    for epoch in 0..8 {
        for pair in in_order.windows(2) {
            assert!(at(pair[0], epoch) < at(pair[1], epoch), "{pair:?} {epoch}");
        }
        // A snapshot has nothing of the next epoch, which is merged afterwards.
        assert!(epoch == 7 || at("snapshot", epoch) < at("merged", epoch + 1));
    }
}

#[test]
fn a_stop_while_an_epoch_is_written_loses_nothing() {
    let expected = expected(OutputMode::Update);
    for step in ["merged", "prepared", "sink", "commit"] {
        let place = Place::new();
        let (begun, is_begun) = channel();
        let (end, may_end) = channel();
        let may_end = Mutex::new(may_end);
        let query = place.query(OutputMode::Update);
        let mut query = query
            .fault_hook(move |at, epoch| {
                if (at, epoch) == (step, 2) {
                    begun.send(()).expect("the test waits");
                    let _ = may_end.lock().unwrap().recv_timeout(LONG);
                }
            })
            .start()
            .unwrap();
        is_begun.recv_timeout(LONG).unwrap();
        query.stop(false);
        end.send(()).unwrap();
        query.await_termination().unwrap();
        // The checkpoint and the sink are free, and nothing is written to them any more.
        place.query(OutputMode::Update).run().unwrap();
        assert!(place.parts() == expected, "{step}");
    }
}

#[test]
fn a_graceful_stop_waits_for_the_epoch_that_is_written() {
    let results = MemorySink::new();
    let (query, read) = totals(u64::MAX, Last::Ends);
    let (begun, is_begun) = channel();
    let slow = CallbackSink::new(move |epoch, _| {
        if epoch == 2 {
            wait_for(&read, 3).expect("the next epoch is read");
            begun.send(()).expect("the test waits");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    });
    let mut query = query.sink(slow).sink(results.clone()).start().unwrap();
    is_begun.recv_timeout(LONG).unwrap();
    query.stop(true);
    query.await_termination().unwrap();
    let last = query.last_progress().unwrap().batch_id;
    assert!(last >= 3, "{last}");
    assert_eq!(results.epochs().len() as u64, last + 1);
}

#[test]
fn a_crash_with_two_epochs_on_their_way_loses_nothing_and_doubles_nothing() {
    for mode in [OutputMode::Complete, OutputMode::Update] {
        let expected = expected(mode);
        for point in ["merged", "delta", "prepared", "sink", "commit-unfinished"] {
            for epoch in [0, 2, 5] {
                let place = Place::new();
                let computed = Arc::new((Mutex::new(0), Condvar::new()));
                let crashed = crash_at(place.query(mode), move |at, number| {
                    let (last, changed) = &*computed;
                    if at == "computed" {
                        *last.lock().unwrap() = number;
                        changed.notify_all();
                    }
                    if (at, number) != (point, epoch) {
                        return false;
                    }
                    let last = last.lock().unwrap();
                    let waited = changed.wait_timeout_while(last, LONG, |last| *last <= epoch);
                    assert!(
                        !waited.unwrap().1.timed_out(),
                        "the next epoch is not computed"
                    );
                    true
                });
                assert!(
                    crashed
                        && place
                            .path(&format!("checkpoint/offsets/{}", epoch + 1))
                            .exists()
                );
                place.query(mode).run().unwrap();
                assert!(
                    place.parts() == expected,
                    "{point} of epoch {epoch}, {mode}"
                );
            }
        }
    }
}

#[test]
fn get_or_create_goes_on_from_a_checkpoint_and_refuses_a_second_one() {
    let place = Place::new();
    let folder = place.path("checkpoint");
    let start = || StreamQuery::get_or_create(&folder, || Ok(place.query(OutputMode::Update)));
    let mut query = start().unwrap();
    assert_eq!(query.first_epoch(), 0);
    query.await_termination().unwrap();
    drop(query);
    assert!(place.parts() == expected(OutputMode::Update));
    std::fs::write(place.path("in/9999"), "once0 new").unwrap();
    let mut query = start().unwrap();
    assert_eq!(query.first_epoch(), 8);
    query.await_termination().unwrap();
    let new = place.path("out/epoch=00000008/part-00000.tsv");
    assert_eq!(std::fs::read_to_string(new).unwrap(), "once0\t3\nnew\t1\n");

    let build = || Ok(place.query(OutputMode::Update));
    let error = StreamQuery::get_or_create(place.path("other"), build).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("other` was asked for"), "{error}");
    let build = || Err(Error::new(ErrorKind::Config, "no query"));
    let error = StreamQuery::get_or_create(place.path("other"), build).unwrap_err();
    assert_eq!(error.message(), "no query");
}
