<?php
// Sends events to Sluice: one, and a batch. PHP 8 or newer, no extension.
declare(strict_types=1);

const ATTEMPTS = 6;

/**
 * Posts events until they are answered for good; the errors of those that were refused. The key is
 * the same for each attempt: none of them counts twice, whichever answer got lost.
 */
function send(string $path, array $events, string $idempotencyKey): array
{
    $url = (getenv('SLUICE_URL') ?: 'http://127.0.0.1:8080') . $path;
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => [
            'Content-Type: application/json',
            'X-Api-Key: ' . getenv('SLUICE_KEY'),
            "Idempotency-Key: $idempotencyKey",
        ],
        'content' => json_encode($events, JSON_THROW_ON_ERROR),
        'timeout' => 10,
        'ignore_errors' => true, // a body also with 4xx and 5xx
    ]]);
    for ($attempt = 0; $attempt < ATTEMPTS; $attempt++) {
        $waitSeconds = 0.2 * 2 ** $attempt;
        $http_response_header = [];
        $text = @file_get_contents($url, false, $context); // false: no answer, taken or not
        $status = (int) (explode(' ', $http_response_header[0] ?? '')[1] ?? 0);
        if ($text !== false && !in_array($status, [408, 429, 500, 503], true)) {
            return errors_of($path, $status, $text);
        }
        foreach ($http_response_header as $line) {
            if (stripos($line, 'Retry-After:') === 0) {
                $waitSeconds = (float) substr($line, strlen('Retry-After:'));
            }
        }
        usleep((int) (1e6 * $waitSeconds));
    }
    throw new RuntimeException("$path: not taken yet: keep the events, and send them later with this key");
}

function errors_of(string $path, int $status, string $text): array
{
    if ($status === 202 || $status === 400) {
        $errors = json_decode($text, true, 512, JSON_THROW_ON_ERROR)['errors'] ?? [];
        if ($status === 202 || $errors !== []) {
            return $errors;
        }
    }
    // A wrong key or address: mend it, the events are not at fault.
    throw new RuntimeException("$path: $status: $text");
}

$errors = [
    ...send('/v4/events/custom', [
        'action' => 'order.placed', 'label' => 'Order placed', 'time' => '2024-05-01T12:00:00Z',
        'client' => ['customId' => 'C-17850'], 'params' => ['orderId' => '1001', 'total' => 49.90],
    ], 'order-1001-placed'),
    ...send('/v4/events/batch', [
        ['type' => 'product-view', 'label' => 'Viewed', 'time' => '2024-05-01T11:58:00Z',
            'client' => ['customId' => 'C-17850'],
            'params' => ['source' => 'WEB_DESKTOP', 'sku' => 'LANTERN-1']],
        ['type' => 'custom', 'action' => 'order.shipped', 'label' => 'Order shipped',
            'time' => '2024-05-02T08:00:00Z', 'client' => ['customId' => 'C-17850'],
            'params' => ['orderId' => '1001']],
        // An empty object is written so: [] alone would become a JSON array.
        ['type' => 'custom', 'action' => 'order.shipped', 'label' => "Nobody's order",
            'time' => '2024-05-02T08:00:00Z', 'client' => (object) [], 'params' => ['orderId' => '1002']],
    ], 'export-2024-05-01-part-1'),
];
foreach ($errors as $error) {
    echo "event {$error['index']}: {$error['reason']}: {$error['message']}\n";
}
