//! A drawing backend that brings its own letters.

use super::font;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

/// Another backend, with text of our own: its size is known without any font, and in pixels it is drawn dot by dot. In SVG the viewer's
/// fonts draw it.
#[derive(Debug)]
pub struct Lettered<B> {
    inner: B,
    /// The backend can draw text by itself.
    native: bool,
}

impl<B> Lettered<B> {
    /// Text as dots.
    pub fn pixels(inner: B) -> Self {
        Self { inner, native: false }
    }

    /// Text drawn by the backend itself.
    pub fn native(inner: B) -> Self {
        Self { inner, native: true }
    }
}

/// Pixels for each dot of the font, at a text size in pixels.
fn scale(size: f64) -> i32 {
    ((size / 10.0).round() as i32).max(1)
}

type Outcome<B> = Result<(), DrawingErrorKind<<B as DrawingBackend>::ErrorType>>;

impl<B: DrawingBackend> DrawingBackend for Lettered<B> {
    type ErrorType = B::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.inner.get_size()
    }

    fn ensure_prepared(&mut self) -> Outcome<B> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Outcome<B> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Outcome<B> {
        self.inner.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Outcome<B> {
        self.inner.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, upper_left: BackendCoord, bottom_right: BackendCoord, style: &S, fill: bool) -> Outcome<B> {
        self.inner.draw_rect(upper_left, bottom_right, style, fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Outcome<B> {
        self.inner.draw_path(path, style)
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Outcome<B> {
        self.inner.draw_circle(center, radius, style, fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, vert: I, style: &S) -> Outcome<B> {
        self.inner.fill_polygon(vert, style)
    }

    fn blit_bitmap(&mut self, pos: BackendCoord, size: (u32, u32), src: &[u8]) -> Outcome<B> {
        self.inner.blit_bitmap(pos, size, src)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, pos: BackendCoord) -> Outcome<B> {
        if self.native {
            return self.inner.draw_text(text, style, pos);
        }
        let zoom = scale(style.size());
        let (width, height) = (font::width(text) * zoom, font::GLYPH.1 * zoom);
        let left = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => -width / 2,
            HPos::Right => -width,
        };
        let top = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => -height / 2,
            VPos::Bottom => -height,
        };
        let (turn, color, (w, h)) = (style.transform(), style.color(), self.get_size());
        let mut result = Ok(());
        font::dots(text, |x, y| {
            for (dx, dy) in (0..zoom).flat_map(|dx| (0..zoom).map(move |dy| (dx, dy))) {
                let (x, y) = turn.transform(left + x * zoom + dx, top + y * zoom + dy);
                let (x, y) = (pos.0 + x, pos.1 + y);
                let inside = (0..w as i32).contains(&x) && (0..h as i32).contains(&y);
                if inside && result.is_ok() {
                    result = self.inner.draw_pixel((x, y), color);
                }
            }
        });
        result
    }

    fn estimate_text_size<S: BackendTextStyle>(&self, text: &str, style: &S) -> Result<(u32, u32), DrawingErrorKind<Self::ErrorType>> {
        let zoom = scale(style.size());
        Ok(((font::width(text) * zoom) as u32, (font::GLYPH.1 * zoom) as u32))
    }
}
