//! A plot as SVG: two panels of lines, both axes logarithmic, because records, rates and times span powers of
//! ten.

use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
/// Of a panel.
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const INNER_WIDTH: f64 = 290.0;
const INNER_HEIGHT: f64 = 320.0;
const PANEL: f64 = 400.0;
/// Told apart by people with any sight of colours (Okabe and Ito 2008).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
];

/// A line through points.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Two panels with the same lines.
pub(crate) struct Plot {
    /// What stands on each vertical axis, and its lines.
    pub(crate) panels: [(&'static str, Vec<Line>); 2],
    /// What stands on the horizontal axis.
    pub(crate) x: &'static str,
}

/// A logarithmic axis: whole powers of ten around all values.
#[derive(Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        let (low, high) = (low.log10().floor(), high.log10().ceil());
        Self {
            low,
            high: high.max(low + 1.0),
        }
    }

    /// From 0 to 1.
    fn place(self, value: f64) -> f64 {
        (value.log10() - self.low) / (self.high - self.low)
    }

    #[expect(clippy::cast_possible_truncation, reason = "powers of ten")]
    fn ticks(self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|power| 10_f64.powi(power))
    }
}

impl Plot {
    pub(crate) fn to_svg(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        for ((title, lines), left) in self.panels.iter().zip([LEFT, LEFT + PANEL]) {
            self.panel(&mut svg, title, lines, left);
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Writing to a String cannot fail, here and below.
    fn panel(&self, svg: &mut String, title: &str, lines: &[Line], left: f64) {
        let points = || lines.iter().flat_map(|line| &line.points);
        let x = Axis::around(points().map(|point| point.0));
        let y = Axis::around(points().map(|point| point.1));
        let bottom = TOP + INNER_HEIGHT;
        let across = |value: f64| left + INNER_WIDTH * x.place(value);
        let up = |value: f64| bottom - INNER_HEIGHT * y.place(value);
        _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{title}</text>",
            TOP - 15.0
        );
        for tick in x.ticks() {
            let at = across(tick);
            _ = writeln!(
                svg,
                "<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#ddd\"/>\
                 <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>",
                bottom + 18.0
            );
        }
        for tick in y.ticks() {
            let at = up(tick);
            _ = writeln!(
                svg,
                "<path d=\"M{left} {at:.1}h{INNER_WIDTH}\" stroke=\"#ddd\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>",
                left - 6.0,
                at + 4.0
            );
        }
        _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            left + INNER_WIDTH / 2.0,
            bottom + 36.0,
            self.x
        );
        for (line, colour) in lines.iter().zip(COLOURS) {
            let path: Vec<String> = line
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", across(*x), up(*y)))
                .collect();
            _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                path.join(" ")
            );
        }
        if left > LEFT {
            // The names stand once, at the ends of the lines of the panel on the right.
            let ends = lines
                .iter()
                .filter_map(|line| Some(up(line.points.last()?.1)));
            for ((line, colour), at) in lines.iter().zip(COLOURS).zip(apart(ends.collect())) {
                _ = writeln!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
                    left + INNER_WIDTH + 6.0,
                    at + 4.0,
                    line.name
                );
            }
        }
    }
}

/// The same heights, moved down where two lines of text would overlap.
fn apart(mut heights: Vec<f64>) -> Vec<f64> {
    const LINE: f64 = 14.0;
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|one, other| heights[*one].total_cmp(&heights[*other]));
    for pair in order.windows(2) {
        heights[pair[1]] = heights[pair[1]].max(heights[pair[0]] + LINE);
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_whole_powers_of_ten() {
        let axis = Axis::around([20.0, 5_000.0].into_iter());
        assert_eq!(
            axis.ticks().collect::<Vec<_>>(),
            [10.0, 100.0, 1_000.0, 10_000.0]
        );
        assert!((axis.place(10.0)).abs() < 1e-9);
        assert!((axis.place(10_000.0) - 1.0).abs() < 1e-9);
        let flat = Axis::around([10.0].into_iter());
        assert_eq!(flat.ticks().collect::<Vec<_>>(), [10.0, 100.0]);
    }

    #[test]
    fn names_stand_apart() {
        assert_eq!(
            apart(vec![20.0, 10.0, 12.0, 90.0]),
            [38.0, 10.0, 24.0, 90.0]
        );
    }

    #[test]
    fn every_line_is_drawn_in_both_panels() {
        let lines = || {
            vec![Line {
                name: "timeline",
                points: vec![(1e4, 900.0), (1e6, 800.0)],
            }]
        };
        let svg = Plot {
            panels: [("rate", lines()), ("p95", lines())],
            x: "records",
        }
        .to_svg();
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("timeline</text>").count(), 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
