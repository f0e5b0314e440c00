//! One axis: a line.

use super::scale::label;
use super::values::Values;
use super::{Canvas, Labels, axis_name, index_at, length};
use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Draws the line.
pub fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, canvas: &Canvas, values: &Values, labels: &Labels) -> Drawn<B> {
    let last = values.values().len().saturating_sub(1) as f64;
    let across = if last > 0.0 { 0.0..last } else { -0.5..0.5 };
    let (low, high) = values.range();
    let mut chart = ChartBuilder::on(area);
    chart.caption(&labels.title, ("sans-serif", 20)).margin(16).x_label_area_size(50).y_label_area_size(90);
    if canvas.log {
        let chart = chart.build_cartesian_2d(across, (low..high).log_scale())?;
        finish(chart, canvas, values, labels)
    } else {
        let margin = 0.04 * (high - low);
        let chart = chart.build_cartesian_2d(across, low - margin..high + margin)?;
        finish(chart, canvas, values, labels)
    }
}

fn finish<B, Y>(
    mut chart: ChartContext<'_, B, Cartesian2d<plotters::coord::types::RangedCoordf64, Y>>,
    canvas: &Canvas,
    values: &Values,
    labels: &Labels,
) -> Drawn<B>
where
    B: DrawingBackend,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let across = |x: &f64| index_at(labels, 0, *x);
    let (low, high) = values.range();
    let up = |y: &f64| label(*y, length(low, high, canvas));
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(axis_name(labels, 0)).x_label_formatter(&across).y_label_formatter(&up);
    if let Some(units) = &labels.units {
        mesh.y_desc(units.clone());
    }
    mesh.label_style(("sans-serif", 14)).axis_desc_style(("sans-serif", 16)).light_line_style(WHITE).draw()?;
    let columns = chart.plotting_area().dim_in_pixel().0.max(1) as usize;
    for piece in pieces(values.values(), columns) {
        match piece[..] {
            [point] => chart.draw_series([Circle::new(point, 2, BLUE.filled())])?,
            _ => chart.draw_series(LineSeries::new(piece, BLUE.stroke_width(1)))?,
        };
    }
    Ok(())
}

/// The line in pieces, which end where a value is missing. Where there are more values than the picture has columns, those between the
/// least and the greatest of a column are left out.
fn pieces(values: &[f64], columns: usize) -> Vec<Vec<(f64, f64)>> {
    let step = values.len().div_ceil(columns.max(1) * 2).max(1);
    let mut pieces = Vec::new();
    let mut piece: Vec<(f64, f64)> = Vec::new();
    for (k, column) in values.chunks(step).enumerate() {
        let known = column.iter().enumerate().filter(|(_, v)| !v.is_nan());
        let low = known.clone().min_by(|a, b| a.1.total_cmp(b.1));
        let high = known.max_by(|a, b| a.1.total_cmp(b.1));
        let (Some(low), Some(high)) = (low, high) else {
            if !piece.is_empty() {
                pieces.push(std::mem::take(&mut piece));
            }
            continue;
        };
        let point = |(i, v): (usize, &f64)| ((k * step + i) as f64, *v);
        let (first, second) = if low.0 <= high.0 { (point(low), point(high)) } else { (point(high), point(low)) };
        piece.push(first);
        if second.0 > first.0 {
            piece.push(second);
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_end_a_piece_and_peaks_stay() {
        assert_eq!(pieces(&[1.0, f64::NAN, 2.0, 3.0], 100), [vec![(0.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]);
        let mut many = vec![0.0; 100_000];
        many[51_234] = 7.0;
        let pieces = pieces(&many, 500);
        assert!(pieces.len() == 1 && pieces[0].len() < 3000);
        assert!(pieces[0].contains(&(51_234.0, 7.0)));
    }
}
