package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import org.junit.jupiter.api.Test;

@Requirement("P6")
final class ProxySizeTest {
  @Test
  void site_ofOneProxy_hasASpareOne() {
    var size = new ProxySize(6000, 0.75);
    assertThat(size.proxies()).isEqualTo(2);
    assertThat(size.clientsPerProxy()).isEqualTo(6000);
    assertThat(size.memoryMib()).isEqualTo(403);
    assertThat(size.uplinkMbit()).isEqualTo(6.0);
    assertThat(size.failoverSeconds()).isEqualTo(12.0);
  }

  @Test
  void site_beyondOneProcess_isSharedEvenly() {
    var size = new ProxySize(40_000, 0);
    assertThat(size.carrying()).isEqualTo(3);
    assertThat(size.proxies()).isEqualTo(4);
    assertThat(size.clientsPerProxy()).isEqualTo(13_334);
  }
}
