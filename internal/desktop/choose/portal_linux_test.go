package choose

import "testing"

func TestFiltersAsThePortalWantsThem(t *testing.T) {
	_, options := question{what: open, extensions: []string{".tar", ".tgz"}}.portal()
	if got, want := options["filters"].Signature().String(), "a(sa(us))"; got != want {
		t.Errorf("filters are of type %s, want %s", got, want)
	}
}
