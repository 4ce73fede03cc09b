package client_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gjyotin305/fastpyrepl/client"
)

// daemonURL is http://127.0.0.1:8000, say. Here it is a daemon on the real engine, that TestMain starts.
var daemonURL string

func Example() {
	ctx := context.Background()
	c, err := client.New(daemonURL) // and client.WithAPIKey(os.Getenv("FASTPYREPL_API_KEY"))
	if err != nil {
		panic(err)
	}
	r, err := c.Execute(ctx, client.ExecuteRequest{Code: "x = 20\nprint('hello')\nx + 1", SessionID: "example"})
	if err != nil {
		panic(err) // the daemon could not do it
	}
	fmt.Print(r.Stdout)
	fmt.Println(r.Outcome, r.Value.Plain())

	r, err = c.Execute(ctx, client.ExecuteRequest{Code: "x / 0", SessionID: "example"})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Outcome, r.Error) // the code failed, and the variables are still there
	if err := c.DeleteSession(ctx, "example"); err != nil {
		panic(err)
	}
	// Output:
	// hello
	// ok 21
	// error ZeroDivisionError: division by zero
}

func ExampleClient_Stream() {
	ctx := context.Background()
	c, err := client.New(daemonURL)
	if err != nil {
		panic(err)
	}
	// Continue has the code run on when the network breaks; the loop goes on where it was.
	req := client.ExecuteRequest{Code: "for i in range(3): print(i)", SessionID: "example", OnDisconnect: client.Continue}
	for ev, err := range c.Stream(ctx, req) {
		if err != nil {
			panic(err)
		}
		switch ev.Type {
		case client.EventStdout:
			fmt.Print(ev.Text)
		case client.EventDone:
			fmt.Println(ev.Outcome)
		}
	}
	if err := c.DeleteSession(ctx, "example"); err != nil {
		panic(err)
	}
	// Output:
	// 0
	// 1
	// 2
	// ok
}

func ExampleClient_Interact() {
	ctx := context.Background()
	c, err := client.New(daemonURL)
	if err != nil {
		panic(err)
	}
	x, err := c.Interact(ctx, client.ExecuteRequest{Code: "print('hello,', input('name? '))", SessionID: "example"})
	if err != nil {
		panic(err)
	}
	defer x.Close()
	for ev, err := range x.Events(ctx) {
		if err != nil {
			panic(err)
		}
		switch ev.Type {
		case client.EventInputRequest:
			fmt.Printf("it asks %q\n", ev.Input.Prompt)
			name := "Zoë"
			if err := x.Input(ctx, &name); err != nil {
				panic(err)
			}
		case client.EventStdout:
			fmt.Print(ev.Text)
		}
	}
	if err := c.DeleteSession(ctx, "example"); err != nil {
		panic(err)
	}
	// Output:
	// it asks "name? "
	// hello, Zoë
}

func ExampleProblem() {
	c, err := client.New(daemonURL)
	if err != nil {
		panic(err)
	}
	_, err = c.Session(context.Background(), "nobody")
	if p := (*client.Problem)(nil); errors.As(err, &p) {
		fmt.Println(p.Status, p.Code, p.Detail)
	}
	// Output:
	// 404 not_found no session nobody
}
