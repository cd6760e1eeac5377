// Clients of Java; see ../../../../clients.py for what each of them does.

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.ArrayOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.ProtocolKeyword;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.redisson.Redisson;
import org.redisson.client.protocol.RedisCommand;
import org.redisson.client.protocol.decoder.ObjectListReplayDecoder;
import org.redisson.command.CommandAsyncExecutor;
import org.redisson.config.Config;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.commands.ProtocolCommand;

class Clients {
    record Word(String name) implements ProtocolCommand, ProtocolKeyword {
        public byte[] getRaw() {
            return name.getBytes(StandardCharsets.UTF_8);
        }

        public byte[] getBytes() {
            return getRaw();
        }

        public String toString() {
            return name;
        }
    }

    static final Word CONSUME = new Word("CONSUME"), THROTTLE = new Word("CL.THROTTLE");

    static Object text(Object value) {
        if (value instanceof byte[] bytes)
            return new String(bytes, StandardCharsets.UTF_8);
        if (value instanceof List<?> list)
            return list.stream().map(Clients::text).collect(Collectors.toList());
        return value;
    }

    static Object levels(List<?> replies) {
        return replies.stream().map(reply -> ((List<?>) reply).get(1))
            .collect(Collectors.toList());
    }

    static Map<String, Object> jedis(int port, String key) {
        Map<String, Object> answers = new LinkedHashMap<>();
        try (Jedis client = new Jedis("127.0.0.1", port)) {
            answers.put("consume", text(client.sendCommand(CONSUME, key, "3")));
            var pipeline = client.pipelined();
            for (int i = 0; i < 10; i++)
                pipeline.sendCommand(CONSUME, key);
            answers.put("pipeline", levels(pipeline.syncAndReturnAll()));
            var transaction = client.multi();
            for (int i = 0; i < 3; i++)
                transaction.sendCommand(CONSUME, key);
            answers.put("transaction", levels(transaction.exec()));
            answers.put("throttle",
                text(client.sendCommand(THROTTLE, key, "4", "1", "3600")));
        }
        return answers;
    }

    static CommandArgs<String, String> words(String key, String... rest) {
        var args = new CommandArgs<>(StringCodec.UTF8).addKey(key);
        for (String word : rest)
            args.add(word);
        return args;
    }

    static ArrayOutput<String, String> list() {
        return new ArrayOutput<>(StringCodec.UTF8);
    }

    static Map<String, Object> lettuce(int port, String key) throws Exception {
        Map<String, Object> answers = new LinkedHashMap<>();
        RedisClient client = RedisClient.create(RedisURI.create("127.0.0.1", port));
        try (var connection = client.connect()) {
            var sync = connection.sync();
            var async = connection.async();
            answers.put("consume", sync.dispatch(CONSUME, list(), words(key, "3")));
            var futures = new ArrayList<io.lettuce.core.RedisFuture<List<Object>>>();
            for (int i = 0; i < 10; i++)
                futures.add(async.dispatch(CONSUME, list(), words(key)));
            var replies = new ArrayList<Object>();
            for (var future : futures)
                replies.add(future.get());
            answers.put("pipeline", levels(replies));
            sync.multi();
            for (int i = 0; i < 3; i++)
                sync.dispatch(CONSUME, list(), words(key));
            answers.put("transaction", levels(sync.exec().stream().toList()));
            answers.put("throttle",
                sync.dispatch(THROTTLE, list(), words(key, "4", "1", "3600")));
        }
        client.shutdown();
        return answers;
    }

    /** It has no call for other commands; so this uses its inside. */
    static Map<String, Object> redisson(int port, String key) {
        Map<String, Object> answers = new LinkedHashMap<>();
        Config config = new Config();
        config.useSingleServer().setAddress("redis://127.0.0.1:" + port);
        Redisson client = (Redisson) Redisson.create(config);
        CommandAsyncExecutor executor = client.getCommandExecutor();
        var codec = org.redisson.client.codec.StringCodec.INSTANCE;
        var consume = new RedisCommand<List<Object>>("CONSUME", new ObjectListReplayDecoder<>());
        var throttle = new RedisCommand<List<Object>>(
            "CL.THROTTLE", new ObjectListReplayDecoder<>());
        answers.put("consume", executor.get(
            executor.<List<Object>, List<Object>>writeAsync(key, codec, consume, key, 3)));
        var futures = new ArrayList<org.redisson.api.RFuture<List<Object>>>();
        for (int i = 0; i < 10; i++)
            futures.add(executor.<List<Object>, List<Object>>writeAsync(key, codec, consume, key));
        var replies = new ArrayList<Object>();
        for (var future : futures)
            replies.add(executor.get(future));
        // It sends them over several connections.
        answers.put("pipeline",
            ((List<?>) levels(replies)).stream().sorted().collect(Collectors.toList()));
        answers.put("throttle", executor.get(executor.<List<Object>, List<Object>>writeAsync(
            key, codec, throttle, key, 4, 1, 3600)));
        client.shutdown();
        return answers;
    }

    static String json(Object value) {
        if (value instanceof List<?> list)
            return list.stream().map(Clients::json).collect(Collectors.joining(", ", "[", "]"));
        return value instanceof Number ? value.toString() : "\"" + value + "\"";
    }

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[1]);
        var answers = switch (args[0]) {
            case "jedis" -> jedis(port, args[2]);
            case "lettuce" -> lettuce(port, args[2]);
            default -> redisson(port, args[2]);
        };
        System.out.println(answers.entrySet().stream()
            .map(entry -> "\"" + entry.getKey() + "\": " + json(entry.getValue()))
            .collect(Collectors.joining(", ", "{", "}")));
        System.exit(0);
    }
}
