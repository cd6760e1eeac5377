// May this key go ahead?  java Consume.java ip:192.0.2.1
import java.net.*;
import java.net.http.*;
import java.nio.charset.StandardCharsets;

class Consume {
	public static void main(String[] args) throws Exception {
		var key = URLEncoder.encode(args[0], StandardCharsets.UTF_8);
		var request = HttpRequest
			.newBuilder(URI.create("http://127.0.0.1:14290/consume?key=" + key))
			.version(HttpClient.Version.HTTP_1_1)
			.POST(HttpRequest.BodyPublishers.noBody()).build();
		var response = HttpClient.newHttpClient()
			.send(request, HttpResponse.BodyHandlers.ofString());
		System.out.println(response.statusCode() == 200 ? "allowed" : "denied, retry after "
			+ response.headers().firstValue("Retry-After").orElse("?") + " s");
	}
}
