package configs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const (
	imagesKey     = "docker.images"
	imageEnvStart = "DOCKER_IMAGES_"
	imageEnvEnd   = "_REF"
	imageNameRule = "lower-case letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit"
)

var imageName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// decodeImages reads docker.images, the one key whose children the operator names. A file that names images means those
// alone: an image that nobody asked for would be pulled or built at start-up.
func decodeImages(raw any, defaults map[string]Image) (map[string]Image, error) {
	given, ok := raw.(map[string]any)
	if !ok || len(given) == 0 {
		return maps.Clone(defaults), nil
	}
	images := make(map[string]Image, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		fields, _ := given[name].(map[string]any)
		ref, ok := fields["ref"].(string)
		if !ok {
			return nil, fmt.Errorf("%s.%s.ref: missing, or not text: want an image's reference", imagesKey, name)
		}
		images[name] = Image{Ref: ref}
	}
	return images, nil
}

// imageFromEnv lets FASTPYREPL_DOCKER_IMAGES_<NAME>_REF change or add an image. It tells whether name is such a variable.
func imageFromEnv(images map[string]Image, name, ref string) bool {
	middle, ok := strings.CutPrefix(name, envPrefix+imageEnvStart)
	if !ok {
		return false
	}
	middle, ok = strings.CutSuffix(middle, imageEnvEnd)
	if !ok || middle == "" {
		return false
	}
	key := strings.ToLower(middle)
	for known := range images { // py3.12 is PY3_12 there
		if envName(known) == envPrefix+middle {
			key = known
		}
	}
	images[key] = Image{Ref: ref}
	return true
}
