//! Pixels of a picture, for mail. The only font is the one in this binary, so that a machine without fonts makes the same
//! bytes as any other.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

/// Twice as many pixels as the mail shows, for sharp screens.
const SCALE: f32 = 2.0;

/// A PNG of an SVG that `draw` made; the error is a sentence.
pub(crate) fn png(svg: &str) -> Result<Vec<u8>, String> {
    let mut fonts = Database::new();
    fonts.load_font_data(ttf_noto_sans::REGULAR.to_vec());
    let options = Options {
        fontdb: Arc::new(fonts),
        font_family: "Noto Sans".to_owned(),
        ..Options::default()
    };
    let tree =
        Tree::from_str(svg, &options).map_err(|e| format!("the picture cannot be read: {e}"))?;
    let size = tree.size();
    let pixels = |length: f32| (length * SCALE).ceil() as u32;
    let map = Pixmap::new(pixels(size.width()), pixels(size.height()));
    let mut map = map.ok_or("the picture has no size")?;
    resvg::render(
        &tree,
        Transform::from_scale(SCALE, SCALE),
        &mut map.as_mut(),
    );
    map.encode_png()
        .map_err(|e| format!("the picture cannot be written: {e}"))
}
