// Clients of Go; see ../clients.py for what each of them does.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"

	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/valkey-io/valkey-go"
)

var ctx = context.Background()

type answers struct {
	Consume     any   `json:"consume"`
	Pipeline    []any `json:"pipeline"`
	Transaction []any `json:"transaction"`
	Throttle    any   `json:"throttle"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func level(reply any) any {
	return reply.([]any)[1]
}

// Bytes are strings.
func plain(reply any) any {
	list := reply.([]any)
	for i, value := range list {
		if bytes, ok := value.([]byte); ok {
			list[i] = string(bytes)
		}
	}
	return list
}

func goRedis(address, key string) answers {
	return ofGoRedis(&goredis.Options{Addr: address}, key)
}

func goRedisTLS(address, key string) answers {
	authority, err := os.ReadFile(os.Getenv("CA"))
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return ofGoRedis(&goredis.Options{Addr: address, TLSConfig: &tls.Config{RootCAs: roots}}, key)
}

func ofGoRedis(options *goredis.Options, key string) (a answers) {
	client := goredis.NewClient(options)
	defer client.Close()
	consume, err := client.Do(ctx, "CONSUME", key, 3).Result()
	must(err)
	a.Consume = consume
	for _, many := range []struct {
		count int
		levels *[]any
		run    func(context.Context, func(goredis.Pipeliner) error) ([]goredis.Cmder, error)
	}{{10, &a.Pipeline, client.Pipelined}, {3, &a.Transaction, client.TxPipelined}} {
		commands, err := many.run(ctx, func(p goredis.Pipeliner) error {
			for i := 0; i < many.count; i++ {
				p.Do(ctx, "CONSUME", key)
			}
			return nil
		})
		must(err)
		for _, command := range commands {
			*many.levels = append(*many.levels, level(command.(*goredis.Cmd).Val()))
		}
	}
	throttle, err := client.Do(ctx, "CL.THROTTLE", key, 4, 1, 3600).Result()
	must(err)
	a.Throttle = throttle
	return a
}

func redigo(address, key string) (a answers) {
	conn, err := redis.Dial("tcp", address)
	must(err)
	defer conn.Close()
	consume, err := conn.Do("CONSUME", key, 3)
	must(err)
	a.Consume = plain(consume)
	for i := 0; i < 10; i++ {
		must(conn.Send("CONSUME", key))
	}
	must(conn.Flush())
	for i := 0; i < 10; i++ {
		reply, err := conn.Receive()
		must(err)
		a.Pipeline = append(a.Pipeline, level(reply))
	}
	must(conn.Send("MULTI"))
	for i := 0; i < 3; i++ {
		must(conn.Send("CONSUME", key))
	}
	replies, err := redis.Values(conn.Do("EXEC"))
	must(err)
	for _, reply := range replies {
		a.Transaction = append(a.Transaction, level(reply))
	}
	a.Throttle, err = conn.Do("CL.THROTTLE", key, 4, 1, 3600)
	must(err)
	return a
}

func rueidisClient(address, key string) (a answers) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}})
	must(err)
	defer client.Close()
	one := func(words ...string) rueidis.Completed {
		return client.B().Arbitrary(words...).Build()
	}
	a.Consume, err = client.Do(ctx, one("CONSUME", key, "3")).ToAny()
	must(err)
	var many []rueidis.Completed
	for i := 0; i < 10; i++ {
		many = append(many, one("CONSUME", key))
	}
	for _, result := range client.DoMulti(ctx, many...) {
		reply, err := result.ToAny()
		must(err)
		a.Pipeline = append(a.Pipeline, level(reply))
	}
	must(client.Dedicated(func(c rueidis.DedicatedClient) error {
		many = []rueidis.Completed{c.B().Multi().Build()}
		for i := 0; i < 3; i++ {
			many = append(many, c.B().Arbitrary("CONSUME", key).Build())
		}
		results := c.DoMulti(ctx, append(many, c.B().Exec().Build())...)
		replies, err := results[len(results)-1].ToAny()
		must(err)
		for _, reply := range replies.([]any) {
			a.Transaction = append(a.Transaction, level(reply))
		}
		return nil
	}))
	a.Throttle, err = client.Do(ctx, one("CL.THROTTLE", key, "4", "1", "3600")).ToAny()
	must(err)
	return a
}

func valkeyGo(address, key string) (a answers) {
	client, err := valkey.NewClient(valkey.ClientOption{InitAddress: []string{address}})
	must(err)
	defer client.Close()
	one := func(words ...string) valkey.Completed {
		return client.B().Arbitrary(words...).Build()
	}
	a.Consume, err = client.Do(ctx, one("CONSUME", key, "3")).ToAny()
	must(err)
	var many []valkey.Completed
	for i := 0; i < 10; i++ {
		many = append(many, one("CONSUME", key))
	}
	for _, result := range client.DoMulti(ctx, many...) {
		reply, err := result.ToAny()
		must(err)
		a.Pipeline = append(a.Pipeline, level(reply))
	}
	must(client.Dedicated(func(c valkey.DedicatedClient) error {
		many = []valkey.Completed{c.B().Multi().Build()}
		for i := 0; i < 3; i++ {
			many = append(many, c.B().Arbitrary("CONSUME", key).Build())
		}
		results := c.DoMulti(ctx, append(many, c.B().Exec().Build())...)
		replies, err := results[len(results)-1].ToAny()
		must(err)
		for _, reply := range replies.([]any) {
			a.Transaction = append(a.Transaction, level(reply))
		}
		return nil
	}))
	a.Throttle, err = client.Do(ctx, one("CL.THROTTLE", key, "4", "1", "3600")).ToAny()
	must(err)
	return a
}

func main() {
	clients := map[string]func(address, key string) answers{
		"go-redis": goRedis, "go-redis-tls": goRedisTLS, "redigo": redigo, "rueidis": rueidisClient, "valkey-go": valkeyGo,
	}
	must(json.NewEncoder(os.Stdout).Encode(clients[os.Args[1]]("127.0.0.1:"+os.Args[2], os.Args[3])))
}
