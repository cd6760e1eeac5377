<?php
// Clients of PHP; see clients.py for what each of them does.
[, $name, $port, $key] = $argv;

function levels($replies) {
    return array_map(fn($reply) => $reply[1], $replies);
}

function phpredis($port, $key) {
    $client = new Redis();
    $client->connect("127.0.0.1", (int) $port);
    $answers = ["consume" => $client->rawCommand("CONSUME", $key, 3)];
    foreach (["pipeline" => [Redis::PIPELINE, 10], "transaction" => [Redis::MULTI, 3]] as $what => [$mode, $count]) {
        $many = $client->multi($mode);
        for ($i = 0; $i < $count; $i++)
            $many->rawCommand("CONSUME", $key);
        $answers[$what] = levels($many->exec());
    }
    $answers["throttle"] = $client->rawCommand("CL.THROTTLE", $key, 4, 1, 3600);
    return $answers;
}

function predis($port, $key) {
    @include_once "Nrk/Predis/autoload.php";
    if (!class_exists("Predis\\Client"))
        @include_once "Predis/autoload.php";
    if (!class_exists("Predis\\Client"))
        Predis\Autoloader::register();
    $client = new Predis\Client(["port" => (int) $port]);
    $raw = fn(...$words) => class_exists("Predis\\Command\\RawCommand") && (new ReflectionMethod("Predis\\Command\\RawCommand", "__construct"))->getNumberOfParameters() == 1
        ? new Predis\Command\RawCommand($words)
        : new Predis\Command\RawCommand(array_shift($words), $words);
    $answers = ["consume" => $client->executeRaw(["CONSUME", $key, 3])];
    foreach (["pipeline" => 10, "transaction" => 3] as $what => $count)
        $answers[$what] = levels($client->$what(function ($many) use ($raw, $key, $count) {
            for ($i = 0; $i < $count; $i++)
                $many->executeCommand($raw("CONSUME", $key));
        }));
    $answers["throttle"] = $client->executeRaw(["CL.THROTTLE", $key, 4, 1, 3600]);
    return $answers;
}

echo json_encode($name($port, $key)), "\n";
