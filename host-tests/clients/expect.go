package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/jordigilh/kubernaut/pkg/ogenx"
)

// The answer of a type that the client knows as a success, or what it was instead.
func success[T any](answer any, err error) (T, error) {
	var none T
	if err := ogenx.ToError(answer, err); err != nil {
		return none, err
	}
	typed, ok := answer.(T)
	if !ok {
		return none, fmt.Errorf("the answer is a %T", answer)
	}
	return typed, nil
}

// Says what is wrong if the answer is not a problem with this status.
func refused(status int, answer any, err error) error {
	err = ogenx.ToError(answer, err)
	if err == nil {
		return fmt.Errorf("it was not refused, and answered with a %T", answer)
	}
	problem := ogenx.GetHTTPError(err)
	if problem == nil {
		return fmt.Errorf("no problem document: %w", err)
	}
	return same("the status of the problem", problem.StatusCode, status)
}

// All that `same` found to be different, or nothing.
func all(differences ...error) error { return errors.Join(differences...) }

// Says so if what was found is not what was expected.
func same[T comparable](what string, found, expected T) error {
	if found == expected {
		return nil
	}
	return fmt.Errorf("%s is %v and not %v", what, found, expected)
}

// Says so if two numbers are not the same but for what is lost in decimals.
func near(what string, found, expected float64) error {
	if math.Abs(found-expected) < 1e-6 {
		return nil
	}
	return fmt.Errorf("%s is %v and not %v", what, found, expected)
}

// Says which member of what was sent is not in what came back.
func contains(back, sent any) error {
	got, err := members(back)
	if err != nil {
		return err
	}
	expected, err := members(sent)
	if err != nil {
		return err
	}
	for name, value := range expected {
		if !reflect.DeepEqual(got[name], value) {
			return fmt.Errorf("%s is %v and not %v", name, got[name], value)
		}
	}
	return nil
}

// What the client makes of a value on the wire.
func members(value any) (map[string]any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var members map[string]any
	return members, json.Unmarshal(text, &members)
}
