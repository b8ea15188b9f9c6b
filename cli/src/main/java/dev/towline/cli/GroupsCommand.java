package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.CreateGroupRequest;
import dev.towline.proto.v1.DeleteGroupRequest;
import dev.towline.proto.v1.Group;
import dev.towline.proto.v1.ListGroupsRequest;
import dev.towline.proto.v1.ListGroupsResponse;
import dev.towline.proto.v1.RenameGroupRequest;
import dev.towline.runtime.program.CommandGroup;
import java.time.Instant;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "groups",
    header = "Creates, lists and renames groups of hosts.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%nExamples:%n",
    footer = {"  towline groups create web", "  towline hosts move name=web-1 --group web"})
final class GroupsCommand extends CommandGroup {
  private final CliContext context;

  GroupsCommand(CliContext context) {
    this.context = context;
  }

  @Command(name = "create", header = "Creates a group.", mixinStandardHelpOptions = true)
  int create(
      @Parameters(paramLabel = "NAME", description = "name of the group") String name,
      @Option(names = "--description", defaultValue = "", description = "for people")
          String description,
      @Mixin OutputOptions output) {
    Group group =
        context.ask(client ->
            client
                .groups()
                .createGroup(
                    CreateGroupRequest.newBuilder()
                        .setName(name)
                        .setDescription(description)
                        .build()));
    if (output.isTable()) {
      context.say("Group " + group.getName() + " is created.");
    } else {
      output.print(group, context.out());
    }
    return ExitCodes.OK;
  }

  @Command(name = "list", header = "Lists groups.", mixinStandardHelpOptions = true)
  int list(@Mixin OutputOptions output) {
    ListGroupsResponse groups =
        context.ask(client -> client.groups().listGroups(ListGroupsRequest.getDefaultInstance()));
    if (!output.isTable()) {
      output.print(groups, context.out());
      return ExitCodes.OK;
    }
    if (groups.getGroupsCount() == 0) {
      context.say("No groups. Create one: towline groups create NAME");
      return ExitCodes.OK;
    }
    Instant now = context.clock().instant();
    var table = new Table("NAME", "HOSTS", "ONLINE", "CREATED", "DESCRIPTION");
    for (Group group : groups.getGroupsList()) {
      table.row(
          group.getName(),
          Integer.toString(group.getHosts()),
          Integer.toString(group.getOnline()),
          Times.ago(group.getCreatedMs(), now),
          group.getDescription());
    }
    table.print(context.out());
    return ExitCodes.OK;
  }

  @Command(
      name = "rename",
      header = "Renames a group; its hosts and install commands follow.",
      mixinStandardHelpOptions = true)
  int rename(
      @Parameters(paramLabel = "NAME", description = "name of the group") String name,
      @Parameters(paramLabel = "NEW-NAME", description = "its new name") String newName) {
    Group group =
        context.ask(client ->
            client
                .groups()
                .renameGroup(
                    RenameGroupRequest.newBuilder().setGroup(name).setNewName(newName).build()));
    context.say(
        "Group "
            + name
            + " is called "
            + group.getName()
            + " now, with "
            + group.getHosts()
            + " hosts.");
    return ExitCodes.OK;
  }

  @Command(name = "delete", header = "Deletes an empty group.", mixinStandardHelpOptions = true)
  int delete(@Parameters(paramLabel = "NAME", description = "name of the group") String name) {
    var _ =
        context.ask(client ->
            client.groups().deleteGroup(DeleteGroupRequest.newBuilder().setGroup(name).build()));
    context.say("Group " + name + " is deleted.");
    return ExitCodes.OK;
  }
}
