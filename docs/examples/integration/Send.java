// Sends events to Sluice: one, and a batch. Java 17 or newer, the JDK alone: java Send.java
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;

public class Send {
  static final String SLUICE_URL =
      System.getenv().getOrDefault("SLUICE_URL", "http://127.0.0.1:8080");
  static final String SLUICE_KEY = System.getenv("SLUICE_KEY");
  static final int ATTEMPTS = 6;
  static final HttpClient CLIENT =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(5))
          .build();

  // Posts events until they are answered for good; the answer, with the errors of those that were
  // refused. The key is the same for each attempt: none of them counts twice, whichever answer got
  // lost.
  static String send(String path, String events, String idempotencyKey)
      throws IOException, InterruptedException {
    var request =
        HttpRequest.newBuilder(URI.create(SLUICE_URL + path))
            .timeout(Duration.ofSeconds(10))
            .header("Content-Type", "application/json")
            .header("X-Api-Key", SLUICE_KEY)
            .header("Idempotency-Key", idempotencyKey)
            .POST(BodyPublishers.ofString(events))
            .build();
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      long waitMs = 200L << attempt;
      try {
        var answer = CLIENT.send(request, BodyHandlers.ofString());
        int status = answer.statusCode();
        boolean namesErrors = answer.body().contains("\"errors\":[{");
        if (status == 202 || (status == 400 && namesErrors)) {
          return answer.body();
        }
        if (!List.of(408, 429, 500, 503).contains(status)) {
          // A wrong key or address: mend it, the events are not at fault.
          throw new IllegalStateException(path + ": " + status + ": " + answer.body());
        }
        waitMs = answer.headers().firstValue("Retry-After").map(Long::parseLong)
            .map(seconds -> 1000 * seconds).orElse(waitMs);
      } catch (IOException noAnswer) {
        // The events may have been taken or not.
      }
      Thread.sleep(waitMs);
    }
    throw new IOException(
        path + ": not taken yet: keep the events, and send them later with this key");
  }

  // The JDK reads no JSON; with the library that you have, take index, reason and message of `errors`.
  static void printErrors(String answer) {
    var error = Pattern.compile("\\{\"index\":(\\d+),\"code\":\\d+,\"reason\":\"(\\w+)\".*?\"message\":\"(.*?)\"\\}");
    error.matcher(answer).results().forEach(
        found -> System.out.printf("event %s: %s: %s%n", found.group(1), found.group(2), found.group(3)));
  }

  public static void main(String[] arguments) throws Exception {
    printErrors(send("/v4/events/custom", """
        {"action": "order.placed", "label": "Order placed", "time": "2024-05-01T12:00:00Z",
         "client": {"customId": "C-17850"}, "params": {"orderId": "1001", "total": 49.90}}
        """, "order-1001-placed"));
    printErrors(send("/v4/events/batch", """
        [{"type": "product-view", "label": "Viewed", "time": "2024-05-01T11:58:00Z",
          "client": {"customId": "C-17850"}, "params": {"source": "WEB_DESKTOP", "sku": "LANTERN-1"}},
         {"type": "custom", "action": "order.shipped", "label": "Order shipped",
          "time": "2024-05-02T08:00:00Z", "client": {"customId": "C-17850"},
          "params": {"orderId": "1001"}},
         {"type": "custom", "action": "order.shipped", "label": "Nobody's order",
          "time": "2024-05-02T08:00:00Z", "client": {}, "params": {"orderId": "1002"}}]
        """, "export-2024-05-01-part-1"));
  }
}
