import Elements
import Media

extension ElementFactory {
    /// Nil: the class is no filter.
    func makeFilter(_ plan: PipelinePlan.Element) throws(GraphError) -> Element? {
        switch plan.className {
        case "GStreamerFilter":
            let type = plan.arguments.string("filterType").flatMap(GStreamerElement.Media.init(rawValue:)) ?? .any
            do throws(FilterCommandError) {
                return try GStreamerFilter(
                    context, name: plan.name, command: plan.arguments.string("command") ?? "", filterType: type)
            } catch {
                throw GraphError("\(plan.name): \(error)")
            }
        case "ImageOverlayFilter": return ImageOverlayFilter(context, name: plan.name)
        case "FaceOverlayFilter": return FaceOverlayFilter(context, name: plan.name)
        case "ZBarFilter": return ZBarFilter(context, name: plan.name)
        default: return nil
        }
    }

    /// Calls an operation of a filter; false: it has none of that name.
    func invoke(
        _ method: String, of filter: Element, _ arguments: Arguments
    ) throws(GraphError) -> Bool {
        func share(_ name: String) -> Double { arguments.float(name + "Percent") ?? 0 }
        switch (filter, method) {
        case (let filter as GStreamerFilter, "setElementProperty"):
            do throws(FilterCommandError) {
                try filter.setElementProperty(
                    arguments.string("propertyName") ?? "", arguments.string("propertyValue") ?? "")
            } catch {
                throw GraphError("\(filter.name): \(error)")
            }
        case (let filter as ImageOverlayFilter, "addImage"):
            filter.addImage(
                arguments.string("id") ?? "", uri: arguments.string("uri") ?? "",
                at: .init(
                    offsetX: share("offsetX"), offsetY: share("offsetY"), width: share("width"),
                    height: share("height"), keepsAspectRatio: arguments.boolean("keepAspectRatio") ?? false,
                    isCentred: arguments.boolean("center") ?? false))
        case (let filter as ImageOverlayFilter, "removeImage"): filter.removeImage(arguments.string("id") ?? "")
        case (let filter as FaceOverlayFilter, "setOverlayedImage"):
            filter.setOverlayedImage(
                uri: arguments.string("uri") ?? "",
                at: .init(
                    offsetX: share("offsetX"), offsetY: share("offsetY"), width: share("width"),
                    height: share("height")))
        case (let filter as FaceOverlayFilter, "unsetOverlayedImage"): filter.unsetOverlayedImage()
        default: return false
        }
        return true
    }
}
