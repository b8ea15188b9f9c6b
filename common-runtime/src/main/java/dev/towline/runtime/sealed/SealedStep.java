package dev.towline.runtime.sealed;

import com.google.protobuf.ByteString;
import dev.towline.runtime.identity.PeerCheck;
import org.jspecify.annotations.Nullable;

/**
 * What came out of a {@link SealedChannel}.
 *
 * @param outgoing bytes for the peer, possibly empty, also after a failure (the alert)
 * @param plaintext what the peer sent, possibly empty; authentic also when {@code failure} is set
 * @param established the peer, in the step in which the handshake ended
 * @param failure set in the step that ended the channel
 */
public record SealedStep(
    ByteString outgoing,
    ByteString plaintext,
    PeerCheck.@Nullable Trusted established,
    @Nullable SealedFailure failure) {}
