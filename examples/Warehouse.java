// A warehouse that takes each request once: java -cp "jars/*" Warehouse.java HOST:PORT TOPIC FILE
// Needs kafka-clients and jackson-databind. A request may come more than once, always with the same restock_id and
// revision; here a file of picks is the memory. Offsets are committed after the line, so a crash repeats, never loses.
// Of the revisions of a request the highest holds; quantity 0 takes it back.
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.KafkaConsumer;

public class Warehouse {
    public static void main(String[] told) throws Exception {
        Path picks = Path.of(told[2]);
        Set<String> taken = new HashSet<>();
        // a line without its end was being written when the power went: it is written again
        String kept = Files.exists(picks) ? Files.readString(picks) : "";
        kept = kept.substring(0, kept.lastIndexOf('\n') + 1);
        Files.writeString(picks, kept, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING);
        kept.lines().forEach(line -> taken.add(line.substring(0, line.indexOf(' ', line.indexOf(' ') + 1))));
        String text = "org.apache.kafka.common.serialization.StringDeserializer";
        try (var consumer = new KafkaConsumer<String, String>(Map.of("bootstrap.servers", told[0],
                "group.id", "java-warehouse", "auto.offset.reset", "earliest", "enable.auto.commit", "false",
                "session.timeout.ms", "6000", "key.deserializer", text, "value.deserializer", text))) {
            consumer.subscribe(List.of(told[1]));
            while (true) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    var request = new ObjectMapper().readTree(record.value());
                    String id = request.get("restock_id").asText() + " " + request.get("revision").asInt();
                    // what waits for approval nobody may pick; it comes again with the next revision
                    if (request.path("requires_approval").asBoolean() || !taken.add(id)) continue;
                    String line = id + " " + request.get("sku").asText() + " " + request.get("quantity").asInt() + "\n";
                    Files.writeString(picks, line, StandardOpenOption.APPEND, StandardOpenOption.DSYNC);
                }
                consumer.commitSync();
            }
        }
    }
}
