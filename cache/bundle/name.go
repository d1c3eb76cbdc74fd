package bundle

import (
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// fullReference is a name in full, as the cache's index.json has it.
func fullReference(n cache.Name, tag string, d digest.Digest) string {
	if tag == "" {
		return n.String() + "@" + string(d)
	}
	return n.String() + ":" + tag
}

// dockerName is what docker makes of a reference, in full. It takes a first part
// without a dot for a part of a name at Docker Hub: local/my/app:1 is
// docker.io/local/my/app:1 there, and is printed as it was.
func dockerName(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return named.String()
}

// splitReference takes a full reference apart, in the cache's grammar: the first
// part is the registry, whatever it looks like.
func splitReference(s string) (n cache.Name, tag string, d digest.Digest, ok bool) {
	ref, err := reference.Parse(s)
	if err != nil {
		return n, "", "", false
	}
	named, isNamed := ref.(reference.Named)
	if !isNamed {
		return n, "", "", false
	}
	n = cache.Name{Registry: reference.Domain(named), Repository: reference.Path(named)}
	if t, tagged := ref.(reference.Tagged); tagged {
		tag = t.Tag()
	}
	if c, digested := ref.(reference.Digested); digested {
		d = c.Digest()
	}
	return n, tag, d, n.Registry != "" && (tag != "" || d != "")
}

// nameOf reads the names in the annotations of an entry of index.json. known is
// false when they name no repository; tag is then what they do say.
func nameOf(annotations map[string]string) (n cache.Name, tag string, d digest.Digest, known bool) {
	plain := annotations["org.opencontainers.image.ref.name"]
	for _, full := range []string{annotations[annotationReference], local(plain)} {
		if n, tag, d, ok := splitReference(full); ok {
			return n, tag, d, true
		}
	}
	for _, name := range []string{annotations[annotationContainerd], plain} {
		if !strings.ContainsAny(name, "/:@") {
			continue // a tag alone
		}
		named, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			continue
		}
		if n, tag, d, ok := splitReference(reference.TagNameOnly(named).String()); ok {
			return n, tag, d, true
		}
	}
	if reference.TagRegexp.FindString(plain) == plain {
		tag = plain
	}
	return n, tag, "", false
}

// local is a reference that says in full that it is the person's own image.
func local(ref string) string {
	if strings.HasPrefix(ref, cache.Local+"/") {
		return ref
	}
	return ""
}

// localName is where an image goes that has a name, but not that registry's
// manifest.
func localName(n cache.Name) cache.Name {
	if n.Registry == cache.Local {
		return n
	}
	repository := n.Repository
	if n.Registry == "docker.io" {
		repository = strings.TrimPrefix(repository, "library/")
	} else {
		repository = strings.ToLower(strings.NewReplacer(":", "-", "[", "", "]", "").Replace(n.Registry)) + "/" + repository
	}
	return cache.Name{Registry: cache.Local, Repository: repository}
}
