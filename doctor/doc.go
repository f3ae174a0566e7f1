// Package doctor looks at everything a gateway needs before, and while, it runs:
// its settings, the store, NightPOS, Microsoft, and whether the public URL leads
// to it. It finds what is wrong and says what to do; it mends nothing.
package doctor
