//! A plot as SVG: two panels of lines, both axes logarithmic, because records, rates and times span powers of
//! ten.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, ChartBuilder, DrawingArea, IntoDrawingArea, IntoLogRange, LineSeries, PathElement,
    RGBColor, SVGBackend, WHITE,
};
use plotters::style::Color;

/// Of both panels together.
const SIZE: (u32, u32) = (960, 420);
/// Told apart by people with any sight of colours (Okabe and Ito 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    BLACK,
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

impl Plot {
    pub(crate) fn to_svg(&self) -> Result<String> {
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        for ((title, lines), panel) in self.panels.iter().zip(area.split_evenly((1, 2))) {
            self.draw(&panel, title, lines)?;
        }
        area.present()?;
        drop(area);
        Ok(svg)
    }

    fn draw(
        &self,
        panel: &DrawingArea<SVGBackend<'_>, Shift>,
        title: &str,
        lines: &[Line],
    ) -> Result<()> {
        let points = || lines.iter().flat_map(|line| &line.points);
        let [x, y] = [
            powers_of_ten(points().map(|point| point.0)),
            powers_of_ten(points().map(|point| point.1)),
        ];
        let mut chart = ChartBuilder::on(panel)
            .caption(title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())?;
        chart.configure_mesh().x_desc(self.x).draw()?;
        for (line, colour) in lines.iter().zip(COLOURS) {
            let style = colour.stroke_width(2);
            let points = line.points.iter().copied();
            chart
                .draw_series(LineSeries::new(points, style))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        Ok(())
    }
}

/// From the power of ten below all values to that above them.
fn powers_of_ten(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| *value > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    let (low, high) = (low.log10().floor(), high.log10().ceil());
    (10_f64.powf(low), 10_f64.powf(high.max(low + 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_whole_powers_of_ten() {
        let of = |values: &[f64]| powers_of_ten(values.iter().copied());
        assert_eq!(of(&[20.0, 5_000.0]), (10.0, 10_000.0));
        assert_eq!(of(&[10.0]), (10.0, 100.0));
    }

    #[test]
    fn every_line_is_drawn_and_named_in_both_panels() {
        let lines = || {
            vec![Line {
                name: "timeline",
                points: vec![(1e4, 900.0), (1e6, 800.0)],
            }]
        };
        let plot = Plot {
            panels: [("rate", lines()), ("p95", lines())],
            x: "records",
        };
        let svg = plot.to_svg().unwrap();
        assert_eq!(svg.matches("timeline").count(), 2, "{svg}");
        assert!(svg.matches("#0072B2").count() >= 4, "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
