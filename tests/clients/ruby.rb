# redis-rb; see clients.py for what it does.
require "json"
require "redis"

_, port, key = ARGV
client = Redis.new(port: port.to_i)
levels = ->(replies) { replies.map { |reply| reply[1] } }
many = lambda do |commands, count|
  count.times { commands.call("CONSUME", key) }
end
puts JSON.generate(
  consume: client.call("CONSUME", key, 3),
  pipeline: levels.(client.pipelined { |commands| many.(commands, 10) }),
  transaction: levels.(client.multi { |commands| many.(commands, 3) }),
  throttle: client.call("CL.THROTTLE", key, 4, 1, 3600)
)
