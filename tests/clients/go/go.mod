module clients

go 1.22

require (
	github.com/gomodule/redigo v1.9.2
	github.com/redis/go-redis/v9 v9.7.0
	github.com/redis/rueidis v1.0.54
	github.com/valkey-io/valkey-go v1.0.54
)
