//! What can be put into a batch as it is.

use super::product::Product;
use crate::array::{AnyArray, Element, IntoArray};
use crate::error::{Result, error};
use ndarray::{ArrayBase, Data, Dimension};

/// What a [`Batch`](super::Batch) takes: a [`Product`], or what plainly is one.
///
/// | Rust | product |
/// | --- | --- |
/// | a number, a bool, a text | one for the whole batch |
/// | `Vec` of numbers, bools or texts; an array of one axis | one per event |
/// | `Vec` of `Vec` of numbers, `Vec` of arrays | one array per event |
/// | `Vec` of `Vec` of arrays (or of `Vec`) | a list of arrays per event |
pub trait IntoProduct {
    /// The product.
    ///
    /// # Errors
    /// `Shape` or `Dtype` if it cannot be one.
    fn into_product(self) -> Result<Product>;
}

impl IntoProduct for Product {
    fn into_product(self) -> Result<Product> {
        Ok(self)
    }
}
impl IntoProduct for &Product {
    fn into_product(self) -> Result<Product> {
        Ok(self.clone())
    }
}
impl IntoProduct for AnyArray {
    fn into_product(self) -> Result<Product> {
        match self.ndim() {
            0 => Product::scalar(self),
            1 => Product::scalars(self),
            n => Err(error!(Shape, "an array of {n} axes could be one event's or all events' value")
                .remedy("say which: Product::rows with the number of rows of each event, or a Vec of arrays")),
        }
    }
}

macro_rules! one_value {
    ($($t:ty),*) => {$(
        impl IntoProduct for $t {
            fn into_product(self) -> Result<Product> { Product::scalar(self) }
        }
    )*};
}
one_value!(
    bool,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
    half::f16,
    f32,
    f64,
    num_complex::Complex<f32>,
    num_complex::Complex<f64>,
    &str,
    String
);

macro_rules! values {
    ($($t:ty),*) => {$(
        impl IntoProduct for $t {
            fn into_product(self) -> Result<Product> { Product::scalars(self) }
        }
    )*};
}
values!(Vec<&str>, Vec<String>);

impl<T: Element> IntoProduct for Vec<T> {
    fn into_product(self) -> Result<Product> {
        Product::scalars(self)
    }
}
impl<T: Element, const N: usize> IntoProduct for [T; N] {
    fn into_product(self) -> Result<Product> {
        Product::scalars(self)
    }
}
impl<T: Element> IntoProduct for Vec<Vec<T>> {
    fn into_product(self) -> Result<Product> {
        Product::arrays(self)
    }
}
impl<T: Element> IntoProduct for Vec<Vec<Vec<T>>> {
    fn into_product(self) -> Result<Product> {
        Product::lists(self)
    }
}
impl<T: Element, S: Data<Elem = T>, D: Dimension> IntoProduct for ArrayBase<S, D> {
    fn into_product(self) -> Result<Product> {
        self.into_array()?.into_product()
    }
}
impl<T: Element, S: Data<Elem = T>, D: Dimension> IntoProduct for Vec<ArrayBase<S, D>> {
    fn into_product(self) -> Result<Product> {
        Product::arrays(self)
    }
}
impl<T: Element, S: Data<Elem = T>, D: Dimension> IntoProduct for Vec<Vec<ArrayBase<S, D>>> {
    fn into_product(self) -> Result<Product> {
        Product::lists(self)
    }
}
impl IntoProduct for Vec<AnyArray> {
    fn into_product(self) -> Result<Product> {
        Product::arrays(self)
    }
}
impl IntoProduct for Vec<Vec<AnyArray>> {
    fn into_product(self) -> Result<Product> {
        Product::lists(self)
    }
}
