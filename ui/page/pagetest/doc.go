// Package pagetest is what the tests of pages work with: a page in a window, the desk it works on, and a person's eyes and hands.
package pagetest
