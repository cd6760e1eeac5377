//! Clients of Rust; see ../../clients.py for what each of them does.
use fred::prelude::*;
use serde_json::{json, Value as Json};

type Error = Box<dyn std::error::Error>;

fn of_redis(value: &redis::Value) -> Json {
    match value {
        redis::Value::Int(number) => json!(number),
        redis::Value::BulkString(bytes) => json!(String::from_utf8_lossy(bytes)),
        redis::Value::SimpleString(text) => json!(text),
        redis::Value::Array(values) => values.iter().map(of_redis).collect(),
        other => json!(format!("{other:?}")),
    }
}

fn levels(replies: Json) -> Json {
    replies.as_array().unwrap().iter().map(|reply| reply[1].clone()).collect()
}

fn redis_rs(port: &str, key: &str) -> Result<Json, Error> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/"))?;
    let mut connection = client.get_connection()?;
    let consume: redis::Value = redis::cmd("CONSUME").arg(key).arg(3).query(&mut connection)?;
    let mut pipeline = redis::pipe();
    for _ in 0..10 {
        pipeline.cmd("CONSUME").arg(key);
    }
    let pipelined: redis::Value = pipeline.query(&mut connection)?;
    let mut transaction = redis::pipe();
    transaction.atomic();
    for _ in 0..3 {
        transaction.cmd("CONSUME").arg(key);
    }
    let executed: redis::Value = transaction.query(&mut connection)?;
    let throttle: redis::Value =
        redis::cmd("CL.THROTTLE").arg(key).arg(4).arg(1).arg(3600).query(&mut connection)?;
    Ok(json!({"consume": of_redis(&consume), "pipeline": levels(of_redis(&pipelined)),
              "transaction": levels(of_redis(&executed)), "throttle": of_redis(&throttle)}))
}

fn of_fred(value: &Value) -> Json {
    match value {
        Value::Integer(number) => json!(number),
        Value::Array(values) => values.iter().map(of_fred).collect(),
        other => json!(other.as_string()),
    }
}

async fn of_fred_client(port: &str, key: &str, resp3: bool) -> Result<Json, Error> {
    let mut config = Config::from_url(&format!("redis://127.0.0.1:{port}"))?;
    if resp3 {
        config.version = fred::types::RespVersion::RESP3;
    }
    let client = Builder::from_config(config).build()?;
    client.init().await?;
    let command = |name: &'static str| fred::types::CustomCommand::new(name, None::<u16>, false);
    let words = |rest: &[&str]| -> Vec<String> {
        std::iter::once(key).chain(rest.iter().copied()).map(String::from).collect()
    };
    let consume: Value = client.custom(command("CONSUME"), words(&["3"])).await?;
    let pipeline = client.pipeline();
    for _ in 0..10 {
        let _: () = pipeline.custom(command("CONSUME"), words(&[])).await?;
    }
    let pipelined: Vec<Value> = pipeline.all().await?;
    let transaction = client.multi();
    for _ in 0..3 {
        let _: () = transaction.custom(command("CONSUME"), words(&[])).await?;
    }
    let executed: Vec<Value> = transaction.exec(true).await?;
    let throttle: Value =
        client.custom(command("CL.THROTTLE"), words(&["4", "1", "3600"])).await?;
    client.quit().await?;
    Ok(json!({"consume": of_fred(&consume),
              "pipeline": levels(pipelined.iter().map(of_fred).collect()),
              "transaction": levels(executed.iter().map(of_fred).collect()),
              "throttle": of_fred(&throttle)}))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().collect();
    let answers = match words[1].as_str() {
        "redis-rs" => redis_rs(&words[2], &words[3])?,
        name => of_fred_client(&words[2], &words[3], name == "fred-resp3").await?,
    };
    println!("{answers}");
    Ok(())
}
