//! Medians and percentiles. Pure.

/// Figures of several runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Summary {
    /// `None` where there are no figures; what is not a number is none.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures
            .into_iter()
            .filter(|figure| figure.is_finite())
            .collect();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, min, max })
    }
}

/// The `percent` percentile by the nearest rank.
pub(crate) fn percentile(figures: &mut [u32], percent: usize) -> Option<u32> {
    let last = figures.len().checked_sub(1)?;
    let rank = (figures.len() * percent).div_ceil(100).saturating_sub(1);
    let (_, figure, _) = figures.select_nth_unstable(rank.min(last));
    Some(*figure)
}
