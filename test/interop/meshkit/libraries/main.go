// Reads and writes exports of Meshery with the libraries that Meshery does it with, in the versions that meshkit requires:
// go-containerregistry for the archive, Flux's for the layer.
//
//	libraries read FILE DIR          validates the only image of a docker archive and unpacks its first layer
//	libraries write DIR FILE NAME    makes one layer of a directory and saves it as an archive
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/fluxcd/pkg/oci"
	"github.com/fluxcd/pkg/oci/client"
	"github.com/fluxcd/pkg/tar"
	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "read":
		return read(args[1], args[2])
	case len(args) == 4 && args[0] == "write":
		return write(args[1], args[2], args[3])
	}
	return fmt.Errorf("usage: libraries read FILE DIR | write DIR FILE NAME")
}

func read(file, dir string) error {
	image, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := validate.Image(image); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	layers, err := image.Layers()
	if err != nil {
		return fmt.Errorf("layers: %w", err)
	}
	first, err := layers[0].Compressed()
	if err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	defer first.Close()
	if err := tar.Untar(first, dir, tar.WithMaxUntarSize(-1), tar.WithSkipSymlinks()); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return nil
}

func write(dir, file, name string) error {
	work, err := os.MkdirTemp("", "layer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	packed := filepath.Join(work, "layer.tgz")
	if err := client.NewClient(client.DefaultOptions()).Build(packed, dir, nil); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	layer, err := tarball.LayerFromFile(packed, tarball.WithMediaType(oci.CanonicalContentMediaType), tarball.WithCompressedCaching)
	if err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	var image v1.Image = mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), oci.CanonicalConfigMediaType)
	if image, err = mutate.Append(image, mutate.Addendum{Layer: layer}); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	return crane.Save(image, name+":latest", file)
}
