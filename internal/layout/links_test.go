package layout

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a page leads to: [text](target), ![text](target), <img src="target">, <a href="target">.
var (
	markdownLink = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	htmlLink     = regexp.MustCompile(`<[^>]*\b(?:src|srcset|href)="([^"]+)"`)
	fencedBlock  = regexp.MustCompile("(?ms)^```.*?^```")
	codeSpan     = regexp.MustCompile("`[^`\n]*`")
	heading      = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

// TestLinksLeadSomewhere: what a page of ours leads to or shows is in the repository, headings too.
func TestLinksLeadSomewhere(t *testing.T) {
	links := 0
	for _, page := range pagesBelow(t, "../..") {
		text := prose(t, page)
		for _, pattern := range []*regexp.Regexp{markdownLink, htmlLink} {
			for _, m := range pattern.FindAllStringSubmatch(text, -1) {
				if why := broken(t, page, m[1]); why != "" {
					t.Errorf("%s: %s: %s", page, m[1], why)
				}
				links++
			}
		}
	}
	if links < 100 { // the pages have far more: the patterns would have gone blind
		t.Errorf("only %d links were found", links)
	}
}

// TestPagesAreFound: each page of docs/ can be got to from the README.
func TestPagesAreFound(t *testing.T) {
	start := filepath.Join("..", "..", "README.md")
	seen, next := map[string]bool{start: true}, []string{start}
	for len(next) > 0 {
		page := next[0]
		next = next[1:]
		for _, m := range markdownLink.FindAllStringSubmatch(prose(t, page), -1) {
			path, _, _ := strings.Cut(m[1], "#")
			to := filepath.Join(filepath.Dir(page), filepath.FromSlash(path))
			if strings.HasSuffix(path, ".md") && !strings.Contains(path, "://") && !seen[to] {
				seen[to] = true
				next = append(next, to)
			}
		}
	}
	for _, page := range pagesBelow(t, "../../docs") {
		if !seen[page] {
			t.Errorf("%s: no way leads there from README.md", page)
		}
	}
}

func pagesBelow(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.FromSlash(root), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "bin" || d.Name() == "dist" || d.Name() == ".git" || d.Name() == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// prose is a page without what stands there to be copied.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return codeSpan.ReplaceAllString(fencedBlock.ReplaceAllString(string(text), ""), "")
}

// broken says what is wrong with a link; "" nothing. What is elsewhere is not asked.
func broken(t *testing.T, page, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		return "no link"
	}
	if u.Scheme != "" || u.Host != "" {
		return ""
	}
	file := page
	if u.Path != "" {
		file = filepath.Join(filepath.Dir(page), filepath.FromSlash(u.Path))
	}
	if _, err := os.Stat(file); err != nil {
		return "there is no such file"
	}
	if u.Fragment == "" || !strings.HasSuffix(file, ".md") {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	for _, m := range heading.FindAllStringSubmatch(fencedBlock.ReplaceAllString(string(text), ""), -1) {
		if anchor(m[1]) == u.Fragment {
			return ""
		}
	}
	return "there is no such heading"
}

// anchor is what GitHub calls a heading: lower case, spaces to dashes, marks left out.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(heading)) {
		switch {
		case r == ' ':
			b.WriteRune('-')
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 0x7f && !strings.ContainsRune("…“”’，。：；（）？、", r):
			b.WriteRune(r)
		}
	}
	return b.String()
}
