use super::panes::Panes;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_pane_is_in_the_windows_that_have_its_times() {
    for (size, slide) in [(10, 10), (10, 5), (10, 4), (7, 3), (6, 1), (5, 5)] {
        let panes = Panes::new(&sliding(SECOND * size, SECOND * slide));
        let (size, slide) = (1000 * i64::from(size), 1000 * i64::from(slide));
        for time in (-30_000..30_000).step_by(333) {
            let mut windows: Vec<i64> = panes.windows_of(panes.pane_of(time)).collect();
            windows.reverse();
            let first = -60_000_i64.div_euclid(slide) * slide;
            let starts = (0..).map(|number| first + number * slide);
            let starts = starts.take_while(|&start| start <= time);
            let expected: Vec<i64> = starts.filter(|start| start + size > time).collect();
            assert_eq!(windows, expected, "{time} of {size} every {slide}");
            assert_eq!(panes.last_end(time), expected.last().unwrap() + size);
        }
    }
}

#[test]
fn times_keep_their_order_as_keys() {
    let times = [i64::MIN, -5, -1, 0, 1, i64::MAX];
    assert!(
        times
            .windows(2)
            .all(|two| time_key(two[0]) < time_key(two[1]))
    );
}

#[test]
fn windows_that_make_no_sense_are_refused() {
    let refused = |window: Window| window.check().unwrap_err().to_string();
    assert!(refused(tumbling(Duration::ZERO)).contains("no time"));
    assert!(refused(sliding(SECOND, 2 * SECOND)).contains("between them"));
    assert!(refused(tumbling(Duration::from_micros(1500))).contains("whole milliseconds"));
    assert!(refused(tumbling(SECOND).watermark(SECOND)).contains("name the column"));
    assert!(refused(tumbling(MOST_TIME * 2)).contains("1000 years"));
    tumbling(SECOND)
        .on("ts")
        .watermark(Duration::ZERO)
        .check()
        .unwrap();
}
