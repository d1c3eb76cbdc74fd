package words

import "pulley/ui/lang"

// Bytes is an amount, as "1.2 GiB": with one digit after the point below ten, as that many decide nothing above.
func Bytes(n int64) string {
	const step = 1024
	size, unit := float64(max(n, 0)), 0
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for size >= step-0.5 && unit < len(units)-1 { // 1,023.7 would be written as 1,024
		size /= step
		unit++
	}
	digits := 0
	if unit > 0 && size < 9.95 {
		digits = 1
	}
	return lang.Number(size, digits) + " " + units[unit]
}

// Rate is a speed, from bytes a second: "12 MiB/s".
func Rate(perSecond float64) string {
	return lang.Say("amount.rate", "Bytes", Bytes(int64(perSecond)))
}

// Percent is a share of a whole, 0 … 1: "81%". What is hardly anything or nearly all is not said to be nothing or all.
func Percent(share float64) string {
	percent := 100 * share
	switch {
	case percent > 0 && percent < 1:
		return lang.Say("amount.below", "Number", lang.Number(1, 0))
	case percent > 99 && percent < 100:
		return lang.Say("amount.above", "Number", lang.Number(99, 0))
	default:
		return lang.Say("amount.percent", "Number", lang.Number(percent, 0))
	}
}

// Number is a whole number: "12,345".
func Number(n int64) string { return lang.Number(n, 0) }
