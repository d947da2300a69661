// What Meshery makes of a file: its own code, as its server calls it on an import and an export.
//
//	meshkit design FILE             the design that an import of the file gives, as JSON
//	meshkit model FILE              the model package that an import of the file gives, and what it complains of, as JSON
//	meshkit check design PATH...    of each path what keeps the decoder of designs from taking it, as a list of texts; empty: nothing
//	meshkit check model PATH...     the same of directories and the reader of models
//	meshkit write DIR FILE NAME     what an export makes of a directory
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/meshery/meshkit/files"
	"github.com/meshery/meshkit/models/meshmodel/entity"
	"github.com/meshery/meshkit/models/oci"
	"github.com/meshery/meshkit/models/registration"
	"github.com/meshery/schemas/models/v1beta3/design"
)

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) (any, error) {
	switch {
	case len(args) == 2 && args[0] == "design":
		return readDesign(args[1])
	case len(args) == 2 && args[0] == "model":
		return readModel(args[1])
	case len(args) > 2 && args[0] == "check":
		return check(args[1] == "model", args[2:]), nil
	case len(args) == 4 && args[0] == "write":
		return write(args[1], args[2], args[3])
	}
	return nil, fmt.Errorf("usage: meshkit design FILE | model FILE | check design|model PATH... | write DIR FILE NAME")
}

type designResult struct {
	OCI           bool     `json:"oci"`
	Type          string   `json:"type"`
	SchemaVersion string   `json:"schemaVersion"`
	Version       string   `json:"version"`
	Components    []string `json:"components"`
	Relationships int      `json:"relationships"`
}

func readDesign(file string) (any, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "design")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	sanitized, err := files.SanitizeFile(data, filepath.Base(file), work, files.ValidIacExtensions)
	if err != nil {
		return nil, fmt.Errorf("sanitize: %w", err)
	}
	identified, err := files.IdentifyFile(sanitized)
	if err != nil {
		return nil, fmt.Errorf("identify: %w", err)
	}
	result := designResult{OCI: oci.IsOCIArtifact(data), Type: string(identified.Type), Components: []string{}}
	parsed, isDesign := identified.ParsedFile.(design.PatternFile)
	if !isDesign {
		return result, nil
	}
	result.SchemaVersion = parsed.SchemaVersion
	result.Version = parsed.Version
	result.Relationships = len(parsed.Relationships)
	for _, component := range parsed.Components {
		result.Components = append(result.Components, component.Component.Kind+" "+component.DisplayName)
	}
	return result, nil
}

type modelResult struct {
	Model         string   `json:"model"`
	Version       string   `json:"version"`
	Components    []string `json:"components"`
	Relationships []string `json:"relationships"`
	Connections   []string `json:"connections"`
	Complaints    []string `json:"complaints"`
}

type complaints struct{ said []string }

func (store *complaints) AddInvalidDefinition(string, error) {}

func (store *complaints) InsertEntityRegError(_, _ string, kind entity.EntityType, name string, err error) {
	store.said = append(store.said, fmt.Sprintf("%s %s: %v", kind, name, err))
}

func readModel(file string) (any, error) {
	store := &complaints{said: []string{}}
	unit, err := registration.NewDir(file).PkgUnit(store)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", err, store.said)
	}
	result := modelResult{
		Model:         unit.Model.Name,
		Version:       unit.Model.Model.Version,
		Components:    []string{},
		Relationships: []string{},
		Connections:   []string{},
		Complaints:    store.said,
	}
	for _, component := range unit.Components {
		result.Components = append(result.Components, component.Component.Kind)
	}
	for _, relationship := range unit.Relationships {
		result.Relationships = append(result.Relationships, string(relationship.Kind))
	}
	for _, connection := range unit.Connections {
		result.Connections = append(result.Connections, connection.Name)
	}
	return result, nil
}

func write(dir, file, name string) (any, error) {
	image, err := oci.BuildImage(dir)
	if err != nil {
		return nil, err
	}
	return map[string]string{"file": file}, oci.SaveOCIArtifact(image, file, name)
}

func check(models bool, paths []string) [][]string {
	results := make([][]string, 0, len(paths))
	for _, path := range paths {
		if models {
			results = append(results, checkModel(path))
		} else {
			results = append(results, checkDesign(path))
		}
	}
	return results
}

func checkModel(path string) []string {
	store := &complaints{said: []string{}}
	if _, err := registration.NewDir(path).PkgUnit(store); err != nil {
		return append(store.said, err.Error())
	}
	return store.said
}

func checkDesign(path string) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	sanitized, err := files.SanitizeFile(data, filepath.Base(path), os.TempDir(), files.ValidIacExtensions)
	if err == nil {
		_, err = files.ParseFileAsMesheryDesign(sanitized)
	}
	if err != nil {
		return []string{err.Error()}
	}
	return []string{}
}
