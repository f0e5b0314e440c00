//! Two axes: an image, with the first row on top, and a colour bar.

use super::scale::{colour, label};
use super::values::Values;
use super::{Canvas, Labels, axis_name, index_at, length};
use plotters::coord::Shift;
use plotters::prelude::*;

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// The width of the colour bar with its numbers.
const BAR: u32 = 120;

/// Draws the image.
pub fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    canvas: &Canvas,
    values: &Values,
    (rows, columns): (usize, usize),
    labels: &Labels,
) -> Drawn<B> {
    let area = area.titled(&labels.title, ("sans-serif", 20))?;
    let (left, right) = area.split_horizontally(area.dim_in_pixel().0.saturating_sub(BAR) as i32);
    picture(&left, canvas, values, (rows, columns), labels)?;
    bar(&right, canvas, values, labels)
}

fn picture<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    canvas: &Canvas,
    values: &Values,
    (rows, columns): (usize, usize),
    labels: &Labels,
) -> Drawn<B> {
    // An element covers half a place on either side of its index.
    let (width, height) = (columns as f64 - 0.5, rows as f64 - 0.5);
    let mut chart =
        ChartBuilder::on(area).margin(16).x_label_area_size(50).y_label_area_size(80).build_cartesian_2d(-0.5..width, height..-0.5)?;
    let across = |x: &f64| index_at(labels, 1, *x);
    let down = |y: &f64| index_at(labels, 0, *y);
    let mut mesh = chart.configure_mesh();
    mesh.disable_mesh().x_desc(axis_name(labels, 1)).y_desc(axis_name(labels, 0));
    mesh.x_label_formatter(&across).y_label_formatter(&down);
    mesh.label_style(("sans-serif", 14)).axis_desc_style(("sans-serif", 16)).draw()?;
    let (w, h) = chart.plotting_area().dim_in_pixel();
    let cells = (rows.min(canvas.cells.1).min(h.max(1) as usize), columns.min(canvas.cells.0).min(w.max(1) as usize));
    let (low, high) = values.range();
    let edge = |k: usize, n: usize, of: usize| (k * of / n) as f64 - 0.5;
    for row in 0..cells.0 {
        let (top, bottom) = (edge(row, cells.0, rows), edge(row + 1, cells.0, rows));
        let mut column = 0;
        while column < cells.1 {
            // Neighbours of one colour are one rectangle.
            let shade = |column: usize| {
                let block =
                    (row * rows / cells.0..(row + 1) * rows / cells.0, column * columns / cells.1..(column + 1) * columns / cells.1);
                colour(position(mean(values.values(), columns, block), low, high, canvas.log))
            };
            let this = shade(column);
            let first = column;
            column += 1;
            while column < cells.1 && shade(column) == this {
                column += 1;
            }
            let corners = [(edge(first, cells.1, columns), top), (edge(column, cells.1, columns), bottom)];
            chart.draw_series([Rectangle::new(corners, this.filled())])?;
        }
    }
    Ok(())
}

/// The mean of the known values of a block.
fn mean(values: &[f64], columns: usize, (rows, across): (std::ops::Range<usize>, std::ops::Range<usize>)) -> f64 {
    let (mut sum, mut count) = (0.0, 0u32);
    for row in rows {
        let line = values.get(row * columns + across.start..row * columns + across.end).unwrap_or(&[]);
        for value in line.iter().filter(|v| !v.is_nan()) {
            // Divided first, so that large numbers do not overflow.
            count += 1;
            sum += (value - sum) / f64::from(count);
        }
    }
    if count == 0 { f64::NAN } else { sum }
}

/// Where a value is between the least and the greatest.
fn position(value: f64, low: f64, high: f64, log: bool) -> f64 {
    if log { (value / low).ln() / (high / low).ln() } else { (value - low) / (high - low) }
}

fn bar<B: DrawingBackend>(area: &DrawingArea<B, Shift>, canvas: &Canvas, values: &Values, labels: &Labels) -> Drawn<B> {
    let (low, high) = values.range();
    let mut builder = ChartBuilder::on(area);
    builder.margin_top(16).margin_bottom(66).margin_right(8).margin_left(4).right_y_label_area_size(84);
    let up = |y: &f64| label(*y, length(low, high, canvas));
    let steps = 200;
    let at = |k: i32| {
        let part = f64::from(k) / f64::from(steps);
        if canvas.log { low * (high / low).powf(part) } else { low + part * (high - low) }
    };
    let stripes = (0..steps).map(|k| {
        let shade = colour((f64::from(k) + 0.5) / f64::from(steps));
        Rectangle::new([(0.0, at(k)), (1.0, at(k + 1))], shade.filled())
    });
    // The two scales are two types, so each has its chart.
    macro_rules! finish {
        ($range:expr) => {{
            let mut chart = builder.build_cartesian_2d(0.0..1.0, $range)?;
            let mut mesh = chart.configure_mesh();
            mesh.disable_mesh().disable_x_axis().y_label_formatter(&up).label_style(("sans-serif", 14)).axis_desc_style(("sans-serif", 16));
            if let Some(units) = &labels.units {
                mesh.y_desc(units.clone());
            }
            mesh.draw()?;
            chart.draw_series(stripes)?;
        }};
    }
    if canvas.log {
        finish!((low..high).log_scale());
    } else {
        finish!(low..high);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_averaged_without_missing_values() {
        let values = [1.0, 2.0, f64::NAN, 4.0, 5.0, 6.0];
        assert_eq!(mean(&values, 3, (0..2, 0..2)), 3.0);
        assert_eq!(mean(&values, 3, (0..1, 1..3)), 2.0);
        assert!(mean(&values, 3, (0..1, 2..3)).is_nan());
        assert_eq!(position(10.0, 1.0, 100.0, true), 0.5);
        assert_eq!(position(2.0, 1.0, 3.0, false), 0.5);
    }
}
