//! Numbers for people.

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in the largest unit of which there is one: `3.4 MiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = UNITS.into_iter().find(|(_, bits)| number >> bits > 0);
    let Some((unit, bits)) = unit else { return format!("{number} B") };
    let tenths = (u128::from(number) * 10) >> bits;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A span of time in its two largest units: `2 h 5 min`.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
    }

    #[test]
    fn bytes_have_a_unit_that_fits() {
        for (number, shown) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3_565_158, "3.3 MiB"), (5 << 40, "5.0 TiB")]
        {
            assert_eq!(bytes(number), shown);
        }
    }

    #[test]
    fn spans_have_two_units() {
        for (seconds, shown) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (7_500, "2 h 5 min"), (200_000, "2 d 7 h")]
        {
            assert_eq!(span(seconds), shown);
        }
    }
}
